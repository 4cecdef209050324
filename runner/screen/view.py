"""What a picture is made from: a run, how it stands at one moment, and the terminal that it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.run.facts import Facts
    from runner.run.standing import Standing
    from runner.screen.charset import Charset
    from runner.screen.kept import Kept


@dataclass(frozen=True, slots=True)
class View:
    """A run at one moment, for a terminal of so many columns and rows."""

    run_id: str
    facts: Facts
    standing: Standing
    kept: Kept
    charset: Charset
    width: int
    height: int
