"""`signal` in the template of a body: a reference goes into the plan, and what it stands for into the bytes that are sent.

As a secret, it is put in whole or not at all: what a run will have to tell is not known when its plan is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.spec.names import Names
from runner.spec.secrets import SecretText
from runner.spec.signals import SignalCounts, SignalFile
from runner.spec.texts import NotRendered

if TYPE_CHECKING:
    from runner.spec.secrets import SecretNames


class SignalText(SecretText):
    """Text with a reference to a part of the signal."""

    __slots__ = ()

    def joined(self, text: str) -> SecretText:
        """Another text in which this one is whole."""
        return SignalText(text, self._names)

    def refusal(self) -> NotRendered:
        """It is not known yet."""
        what = "what a signal tells is known only when it is sent, so it can only be put in whole"
        return NotRendered(what, "write {{ signal.text }}, without filters around it")


def signal_names(secrets: SecretNames) -> Names:
    """What `signal` is in a template that sees these secrets."""

    def part(name: str) -> SignalText:
        return SignalText(f"***signal.{name}***", secrets)

    counts = Names("signal.counts", {name: part(f"counts.{name}") for name in SignalCounts.model_fields})
    parts = {name: part(name) for name in SignalFile.model_fields if name != "counts"}
    return Names("signal", {**parts, "counts": counts})
