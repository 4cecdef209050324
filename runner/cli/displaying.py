"""How a run is shown: on the whole of a terminal, or in log lines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runner.cli.options import can_be_drawn_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.app.host import Host
    from runner.cli.live import LiveProgress
    from runner.cli.progress import LoggedProgress
    from runner.model import JsonObject
    from runner.run.commands import Command


def progress_of(
    host: Host, options: JsonObject, detach: Callable[[], None] | None = None
) -> LiveProgress | LoggedProgress:
    """What shows a run, by the values of `log_options`. `detach` is called by a person who has seen enough."""
    from runner.cli.live import LiveProgress
    from runner.cli.logs import Logs
    from runner.cli.progress import LoggedProgress

    quiet, drawn = options["quiet"], can_be_drawn_on(host.environ)
    color = drawn and not options["no_color"] and not host.environ.get("NO_COLOR")
    if not drawn or quiet or options["log_format"] == "json":
        return LoggedProgress(Logs(options["log_format"], verbose=options["verbose"], quiet=quiet, color=color))

    async def give(run_id: str, command: Command, why: str) -> int:
        from runner.app import operating

        # In a thread: what comes of it is judged by the whole journal, and a run goes on meanwhile.
        return (await asyncio.to_thread(operating.note, host, options["state_dir"], run_id, command, why)).number

    return LiveProgress(host.environ, give, color=color, detach=detach)
