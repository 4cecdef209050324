"""Takes in what people ask of a run while it goes on, from any shell that shares its state store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.run import events as e
from runner.run.commands import in_run_time, refusal
from runner.run.excluding import exclusions, inclusions, matching_servers
from runner.run.intake import is_unsurveyed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runner.engine.ports import Clock, CommandSource, ReceivedCommand
    from runner.engine.recorder import Recorder

# How often to look for commands, seconds: they take effect within two.
POLL_S = 0.5

_ABOUT_SERVERS = frozenset({"exclude", "include"})


class Operator:
    """Looks for commands and carries them out, each once; what came of it is in the journal.

    `applied` is called after every command that was not refused.
    """

    def __init__(self, recorder: Recorder, clock: Clock, post: CommandSource, applied: Callable[[], None]) -> None:
        self._recorder = recorder
        self._clock = clock
        self._post = post
        self._applied = applied

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await self._clock.sleep(POLL_S)

    def look(self) -> None:
        """Take in what was left since the last look."""
        self.take_in(self._post.read(self._recorder.state.controls.last_command))

    def take_in(self, posted: Sequence[ReceivedCommand]) -> None:
        """Carry commands out, in their order.

        To exclude servers, or include them, what became of their requests must be known: after a crash that waits for
        the survey, and so does what was asked after it.
        """
        state = self._recorder.state
        for command in posted:
            if command.command.action in _ABOUT_SERVERS and is_unsurveyed(state):
                break
            self._carry_out(command)

    def _carry_out(self, posted: ReceivedCommand) -> None:
        now = self._clock.now()
        command = in_run_time(posted.command, now - self._clock.wall())
        refused = refusal(self._recorder.state, command)
        if refused is None and command.action in _ABOUT_SERVERS:
            # Before the command itself: it counts as carried out from then on, and must be, whenever the process dies.
            for event in self._of_servers(posted, now):
                self._recorder.record(event)
        self._recorder.record(
            e.Commanded(
                now,
                posted.number,
                command.action,
                command.target,
                dict(command.settings),
                posted.who,
                posted.why,
                refused,
            )
        )
        if refused is None:
            self._applied()

    def _of_servers(self, posted: ReceivedCommand, now: float) -> Iterable[e.Event]:
        facts = self._recorder.state
        ids = matching_servers(facts.plan, posted.command.target)
        if posted.command.action == "include":
            return inclusions(facts, ids, now)
        return exclusions(facts, ids, now, posted.who, posted.why)
