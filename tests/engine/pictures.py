"""A display that draws a run again and again, on terminals of all sizes, and says what is wrong with a picture."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from runner.plain import plain
from runner.run import events as e
from runner.run.facts import Facts
from runner.run.standing import Standing
from runner.screen.cells import line_width, text_of
from runner.screen.charset import Charset
from runner.screen.dialogue import Dialogue
from runner.screen.kept import Kept
from runner.screen.picture import picture
from runner.screen.view import View

_SIZES = ((80, 24), (200, 50), (120, 30), (40, 12), (7, 3))
# A picture costs as much as a hundred events.
_DRAWN_EVERY = 29


class Pictured:
    """Draws after some events, and once when it is over. `wrong` is what was wrong with the first picture that was."""

    wrong: Exception | None = None

    def begin(self, run_id: str, state: Facts, look: Callable[[], Standing]) -> None:
        self._run_id, self._facts, self._look = run_id, state, look
        self._kept, self._seen = Kept(state), 0
        self._sizes = itertools.cycle(_SIZES)
        self._dialogue = Dialogue(Charset(), may_type=True, may_detach=False)

    def observe(self, event: e.Event) -> None:
        try:
            self._kept.take(event)
            self._seen += 1
            if self._seen % _DRAWN_EVERY == 1 or isinstance(event, e.ApprovalAsked | e.Held | e.RunEnded):
                self._draw()
        except Exception as wrong:
            self.wrong = self.wrong or wrong
            raise

    def notice(self, text: str) -> None:
        self._dialogue.say(text)

    async def show(self, state: Facts) -> None:
        del state
        await asyncio.Event().wait()

    def _draw(self) -> None:
        width, height = next(self._sizes)
        view = View(self._run_id, self._facts, self._look(), self._kept, Charset(), width, height)
        lines = picture(view, self._dialogue.foot(width))
        assert len(lines) == height
        for one in lines:
            assert line_width(one) <= width
            assert plain(text_of(one)) == text_of(one)
