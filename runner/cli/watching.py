"""`runner watch`: a run of another process, shown as its own process shows it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from runner.cli import streams
from runner.cli.options import log_options, pass_host
from runner.cli.paths import state_options
from runner.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from runner.app.following import FollowedRun
    from runner.app.host import Host
    from runner.cli.live import LiveProgress
    from runner.cli.progress import LoggedProgress

_LOOK_EVERY_S = 0.5
# Whether its process still lives is asked every so many looks.
_LOOKS_A_ROW = 4


@click.command("watch")
@click.argument("run", metavar="RUN")
@click.option("--until-person", is_flag=True, help="End, with exit 5, as soon as the run waits for a person.")
@state_options
@log_options
@pass_host
def watch_command(host: Host, run: str, state_dir: Path, *, until_person: bool, **options: Any) -> int:
    """Show a run of another process until it is over, and end with its exit code. RUN is its id, the start of it, or `last`.

    On a terminal it is the picture that `runner run` shows; elsewhere a line for each change. The run goes on without
    it: to end it before the run is over is exit 5.
    """
    from runner.app.following import FollowedRun
    from runner.app.listing import open_store
    from runner.cli.displaying import progress_of

    with open_store(state_dir, reading=True) as store:
        followed = FollowedRun(host, store, store.resolve(run), lean=False)
        watch = _Watch(host, followed, until_person=until_person)
        watch.progress = progress_of(host, {**options, "state_dir": state_dir}, watch.detach)
        code = host.run_loop(watch.to_its_end())
    streams.echo(watch.last_line)
    return code


class _Watch:
    """One watch, until the run is over, or the person has seen enough."""

    progress: LiveProgress | LoggedProgress

    def __init__(self, host: Host, followed: FollowedRun, *, until_person: bool) -> None:
        self._host = host
        self._followed = followed
        self._until_person = until_person
        self._detached = asyncio.Event()
        self._looks = 0
        self.last_line = ""

    def detach(self) -> None:
        """End the watch; the run goes on."""
        self._detached.set()

    def stop(self, reason: str) -> None:
        """Likewise: a signal ends the watch alone."""
        del reason
        self._detached.set()

    async def to_its_end(self) -> int:
        """Show the run, and return the exit code."""
        followed, progress = self._followed, self.progress
        with self._host.interrupts() as interrupts:
            interrupts.stop_first(self)
            before = followed.take()
            progress.begin(followed.run_id, followed.facts, followed.standing)
            for entry in before:
                for event in entry.events:
                    progress.recall(event)
            showing = asyncio.create_task(progress.show(followed.facts))
            try:
                return await self._follow(showing)
            finally:
                showing.cancel()
                with suppress(asyncio.CancelledError):
                    await showing

    async def _follow(self, showing: asyncio.Task[None]) -> int:
        while True:
            code = self._code()
            if code is not None:
                return code
            if showing.done():
                await showing  # raises what ended it: a watch that cannot show anything is over
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._detached.wait()
            for entry in self._followed.take():
                for event in entry.events:
                    self.progress.observe(event)

    def _code(self) -> int | None:
        """The exit code if the watch is over; it says why in a line."""
        from runner.run.person_waits import person_waits

        followed, facts = self._followed, self._followed.facts
        if facts.ending is not None:
            self.last_line = f"run {followed.run_id}: {facts.ending.state}: {facts.ending.reason}"
            return facts.ending.exit_code
        if self._detached.is_set():
            self.last_line = f"run {followed.run_id} goes on; watch it again: runner watch {followed.run_id}"
            return ExitCode.STOPPED
        waits = person_waits(facts) if self._until_person else []
        if waits:
            self.last_line = (
                f"run {followed.run_id} waits for a person: {waits[0].what}: {waits[0].commands(followed.run_id)}"
            )
            return ExitCode.STOPPED
        return self._gone()

    def _gone(self) -> int | None:
        self._looks += 1
        if self._looks % _LOOKS_A_ROW != 1:
            return None
        row = self._followed.row()
        if row.is_open or not row.state.is_resumable:
            return None
        self.last_line = f"run {row.id}: its process is gone; go on with it: runner resume {row.id}"
        return ExitCode.STOPPED
