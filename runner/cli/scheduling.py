"""The options of commands that cron or a timer starts: when a run may start and end, and that it is one a slot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import click

from runner.cli.options import all_of
from runner.rules.slots import CatchUp

if TYPE_CHECKING:
    from runner.app.slots import Slot
    from runner.engine.run import Deadline
    from runner.model import JsonObject
    from runner.spec.moments import Moment


_LAST = datetime.max.replace(tzinfo=UTC).timestamp()


class MomentType(click.ParamType["Moment"]):
    """A time of day, or a date and time."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Moment:
        """The moment; which day a time of day means is decided later."""
        from runner.spec.moments import EXPECTED_MOMENT, parse_moment

        moment = parse_moment(value) if isinstance(value, str) else value
        if moment is None:
            self.fail(f"{value!r}: expected {EXPECTED_MOMENT}", param, ctx)
        return cast("Moment", moment)


def _deadline(ctx: click.Context, param: click.Parameter, value: str | None) -> Deadline | None:
    """The moment, and in words as the person gave it, with the time in UTC as reports have it."""
    if value is None:
        return None
    from runner.engine.run import Deadline
    from runner.spec.moments import EXPECTED_MOMENT, parse_deadline
    from runner.spec.quantities import EXPECTED_DURATION

    host = ctx.obj()
    at = parse_deadline(value, host.clock.wall(), host.zone())
    if at is None or at > _LAST:
        raise click.BadParameter(f"{value!r}: expected {EXPECTED_DURATION}, or {EXPECTED_MOMENT}", ctx, param)
    return Deadline(at, f"{value.strip()} ({datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ})")


deadline_option = click.option(
    "--deadline",
    callback=_deadline,
    metavar="DURATION|HH:MM|DATETIME",
    help="From then on send nothing new; watch what is at work to its end.",
)

slot_options = all_of(
    click.option(
        "--once-key", metavar="TEMPLATE", help='At most one run a key, such as "nightly-{{ run.date }}"; resumes it.'
    ),
    click.option("--not-after", type=MomentType(), metavar="HH:MM|DATETIME", help="The latest moment to start."),
    click.option(
        "--catch-up",
        type=click.Choice([choice.value for choice in CatchUp]),
        help="After --not-after: skip (exit 0, the default), run late, or fail (exit 6).",
    ),
)


def slot_from(options: JsonObject) -> Slot:
    """The slot that the values of `slot_options` tell of; those are taken out of `options`."""
    once_key, latest, catch_up = (options.pop(name) for name in ("once_key", "not_after", "catch_up"))
    if catch_up is not None and latest is None:
        raise click.UsageError("--catch-up says what to do after --not-after, which is not given")
    from runner.app.slots import Slot

    return Slot(once_key, latest, CatchUp(catch_up or CatchUp.SKIP))
