"""How the service shows the names that jobs were given: perhaps in another case, trimmed, or cut (api-facts 6).

The keys of requests have no capitals and no blanks, so a name that differs in these only is the request's. Of one that
was cut it cannot be said whose it is: that is learned from answers that show the name of a job that was asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.model import JobRow


def folded(name: str) -> str:
    """The name as it is compared."""
    return name.strip().casefold()


class NameManner:
    """What is known of how names are shown. Until one as long was shown whole, any may have been cut."""

    def __init__(self) -> None:
        self._whole_up_to = 0
        self._cut_at: int | None = None

    def is_of(self, sent: str, shown: str | None) -> bool:
        """Whether a job that was given the name `sent` may show the name `shown`. None shows nothing."""
        if shown is None:
            return True
        name = folded(shown)
        return folded(sent) == name or (bool(name) and folded(sent).startswith(name) and self._may_cut_at(len(name)))

    def learn(self, sent: str, shown: str | None) -> None:
        """A job that was given the name `sent` shows the name `shown`."""
        if shown is None:
            return
        name = folded(shown)
        if name == folded(sent):
            self._whole_up_to = max(self._whole_up_to, len(name))
        elif name and folded(sent).startswith(name):
            self._cut_at = len(name)

    def cuts_of(self, sent: str) -> Iterable[str]:
        """What may be left of the name, folded, where it was cut."""
        name = folded(sent)
        return (name[:length] for length in range(1, len(name)) if self._may_cut_at(length))

    def _may_cut_at(self, length: int) -> bool:
        return length >= self._whole_up_to if self._cut_at is None else length == self._cut_at


class ShownNames:
    """The rows of a list, by their names as they are compared."""

    def __init__(self, rows: Iterable[JobRow]) -> None:
        self._rows: dict[str, list[JobRow]] = {}
        for row in rows:
            self._rows.setdefault(folded(row.name or ""), []).append(row)

    def of(self, name: str) -> Sequence[JobRow]:
        """The rows of this name."""
        return self._rows.get(folded(name), ())

    def cut(self, name: str, manner: NameManner, is_known: Callable[[str], bool]) -> str | None:
        """Why one of the rows may be of this name, though it was cut; None where none is. Jobs that are known are others."""
        for part in manner.cuts_of(name):
            for row in self._rows.get(part, ()):
                if not is_known(row.job_id):
                    return f"job {row.job_id} is listed as {row.name!r}, which may be the beginning of {name}"
        return None
