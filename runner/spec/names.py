"""The names that templates see beside the variables: `env`, `vars`, `group` and so on. Keys of them are looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.spec.texts import Guarded, NotRendered

if TYPE_CHECKING:
    from collections.abc import Mapping

# What each is, for a person who gave a variable its name.
RUNNERS_OWN = {
    "vars": "the variables",
    "env": "the environment",
    "secret": "the secrets",
    "run": "the run",
    "group": "the group",
    "step": "the step",
    "batch": "the batch of servers",
    "lane": "the lane",
    "wave": "the wave",
}
# What they mean in a template is the language's; a variable of the name would never be seen, or be no name at all.
_LANGUAGES_OWN = """
    true false none True False None and or not is in if else elif for recursive import as with context ignore missing
    loop self super caller varargs kwargs
"""


class Names(Guarded):
    """One of them. `values` are looked up by key only; `called` is its name, for messages."""

    __slots__ = ("called", "values")

    def __init__(self, called: str, values: Mapping[str, object]) -> None:
        self.called = called
        self.values = values

    def refusal(self) -> NotRendered:
        """It is never a value by itself: `{{ env }}` would send the whole environment."""
        return NotRendered(f"`{self.called}` is no value by itself", f"name one of its parts: {self.called}.NAME")

    def __repr__(self) -> str:
        return f"<{self.called}>"


def refused_name(name: str) -> tuple[str, str] | None:
    """Why a variable must not have this name, and what to do; None if it may."""
    if name in RUNNERS_OWN:
        return f"`{name}` is no name for a variable: templates have {RUNNERS_OWN[name]} there", _rename(name)
    if name in _LANGUAGES_OWN.split():
        return f"`{name}` is no name for a variable: it is a word of the template language", _rename(name)
    return None


def _rename(name: str) -> str:
    return f"rename it, to `my_{name.lower()}` for instance"
