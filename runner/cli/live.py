"""A run shown on the whole of a terminal while it goes on, and what a person types there."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from runner.cli import streams
from runner.cli.keyboard import Keyboard
from runner.cli.logs import LONGEST_DRAIN_S
from runner.cli.news import Newsroom
from runner.cli.outlet import Outlet
from runner.cli.terminal import Terminal
from runner.run import events as e
from runner.screen.cells import Tone, text_of
from runner.screen.charset import Charset
from runner.screen.dialogue import Detached, Dialogue
from runner.screen.kept import Kept
from runner.screen.picture import Foot, picture
from runner.screen.view import View

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from runner.run.commands import Command
    from runner.run.facts import Facts
    from runner.run.standing import Standing
    from runner.screen.cells import Line
    from runner.screen.dialogue import Given

    Give = Callable[[str, Command, str], Awaitable[int]]

_DRAW_EVERY_S = 0.5


class LiveProgress:
    """The picture of a run, drawn anew twice a second, and at once when a key is pressed or the size changes.

    `give` leaves a command, with why, for a run, and returns its number there. `detach` ends it for a person who has seen
    enough; None: nobody can.
    """

    def __init__(
        self, environ: Mapping[str, str], give: Give, *, color: bool, detach: Callable[[], None] | None = None
    ) -> None:
        # It is one of text, and would be taken for a file if it was closed.
        self._outlet = Outlet(sys.stderr)
        keys = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
        self._terminal = Terminal(self._outlet, keys, environ, color=color)
        self._keyboard = Keyboard(keys, self._typed, self._resized, self._suspended, self._continued)
        self._charset = Charset(sys.stderr.encoding)
        self._dialogue = Dialogue(self._charset, may_type=keys is not None, may_detach=detach is not None)
        self._give = give
        self._detach = detach
        self._look: Callable[[], Standing] | None = None
        self._news: Newsroom | None = None
        self._kept: Kept | None = None
        self._run_id = ""
        self._asked: dict[int, str] = {}
        self._giving: set[asyncio.Task[None]] = set()
        self._wakened = asyncio.Event()

    def begin(self, run_id: str, state: Facts, look: Callable[[], Standing]) -> None:
        """Show this run."""
        self._run_id, self._look = run_id, look
        self._news, self._kept = Newsroom(run_id, state, look), Kept(state)

    def observe(self, event: e.Event) -> None:
        """Keep what the picture needs of it."""
        if self._kept is None or self._news is None:
            return
        self._kept.take(event)
        if type(event) in _MANY:
            return
        item = self._news.item(event)
        if item is not None and item.level >= logging.INFO:
            self._kept.note(event.at, item.line)
        if isinstance(event, e.Commanded):
            self._taken_in(event)

    def recall(self, event: e.Event) -> None:
        """An event of before it was shown."""
        self.observe(event)

    def notice(self, text: str) -> None:
        """Say it at the foot; before there is a picture, print it."""
        if not self._terminal.is_entered:
            streams.say(text)
        self._dialogue.say(text, Tone.CARE)

    async def show(self, state: Facts) -> None:
        """Draw it until cancelled; the last picture stays."""
        self._keyboard.open()
        try:
            while True:
                self._outlet.check()
                self._draw(state)
                # Not `wait_for`: it loses a cancellation that comes together with what it waits for.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_DRAW_EVERY_S):
                        await self._wakened.wait()
                self._wakened.clear()
        finally:
            self._keyboard.close()
            self._put_away(state)

    def _draw(self, state: Facts) -> None:
        if not self._terminal.is_ours:
            self._keyboard.listen(on=False)
            return
        if not self._terminal.is_entered:
            self._terminal.enter()
        self._keyboard.listen(on=True)
        if not self._outlet.is_behind:
            self._terminal.draw(self.picture(state, *self._terminal.size()))

    def picture(self, state: Facts, width: int, height: int, *, foot: Foot | None = None) -> list[Line]:
        """The picture for a terminal of this size."""
        if self._look is None or self._kept is None:
            return []
        view = View(self._run_id, state, self._look(), self._kept, self._charset, width, height)
        return picture(view, self._dialogue.foot(width) if foot is None else foot)

    def _put_away(self, state: Facts) -> None:
        """Give the terminal back, and let the last picture stand there without its foot."""
        was_entered = self._terminal.is_entered
        self._terminal.leave()
        if was_entered:
            width, height = self._terminal.size()
            lines = self.picture(state, width, height - 1, foot=Foot(()))
            while lines and not text_of(lines[-1]).strip():
                lines.pop()
            self._terminal.print(lines)
        self._outlet.drain(LONGEST_DRAIN_S)

    def _typed(self, text: str) -> None:
        if text == "\x0c":  # Ctrl-L
            self._terminal.forget()
        elif self._news is not None:
            wanted = self._dialogue.take(text, self._news.state)
            if isinstance(wanted, Detached):
                (self._detach or self._wakened.set)()
            elif wanted is not None:
                giving = asyncio.get_running_loop().create_task(self._given(wanted))
                self._giving.add(giving)
                giving.add_done_callback(self._giving.discard)
        self._wakened.set()

    async def _given(self, given: Given) -> None:
        """Leave a command as the shell does, and say what was run."""
        ran = given.typed(self._run_id)
        self._dialogue.say(f"{ran}: asked")
        try:
            self._asked[await self._give(self._run_id, given.command, given.why)] = ran
        except Exception as error:  # noqa: BLE001  whatever it is: the person is told, and the run goes on
            self._dialogue.say(f"{ran}: {error}", Tone.BAD)
        self._wakened.set()

    def _taken_in(self, event: e.Commanded) -> None:
        """The run carried a command out, or refused it."""
        ran = self._asked.pop(event.number, None)
        if ran is not None and event.refused is None:
            self._dialogue.say(f"{ran}: done", Tone.GOOD)
        elif ran is not None:
            self._dialogue.say(f"{ran}: {event.refused}", Tone.BAD)

    def _resized(self) -> None:
        self._terminal.forget()
        self._wakened.set()

    def _suspended(self) -> None:
        self._keyboard.listen(on=False)
        self._terminal.leave()
        self._outlet.drain(LONGEST_DRAIN_S)

    def _continued(self) -> None:
        self._terminal.enter_anew()
        self._wakened.set()


# Of which there are many, or which the picture shows for as long as they are so.
_MANY = frozenset({e.Intended, e.Accepted, e.JobRead, e.Settled, e.CallsFailing})
