"""The secrets of a plan's hooks: whether they are there, and make URLs and headers that can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.plain import is_text
from runner.plan.hooks import header_trouble, url_trouble
from runner.spec.references import filled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.plan.hooks import PlannedHook
    from runner.plan.plan import Plan


def hook_secrets(plan: Plan, env: Mapping[str, str]) -> dict[str, str]:
    """The secrets that hooks of a plan refer to, those that are there."""
    names = {name for hook in plan.hooks for name in hook.secrets}
    return {name: env[name] for name in sorted(names) if env.get(name, "").strip() and is_text(env[name])}


def post_troubles(hook: PlannedHook, env: Mapping[str, str]) -> Iterator[str]:
    """Why a hook cannot be posted to from here: what is wrong with secrets, which are not shown."""
    missing = [name for name in hook.secrets if not env.get(name, "").strip()]
    yield from (f"the secret {name} is not in the environment, or empty" for name in missing)
    broken = [name for name in hook.secrets if name not in missing and not is_text(env[name])]
    yield from (f"the secret {name} is not UTF-8" for name in broken)
    if hook.post is None or missing or broken:
        return
    if trouble := url_trouble(filled(hook.post, {}, env)):
        yield f"what `post` is with its secret {trouble}"
    for name, value in hook.headers.items():
        if trouble := header_trouble(filled(value, {}, env)):
            yield f"the header {name} {trouble}"
