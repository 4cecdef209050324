"""A jobspec's `on_event` as typed values: whom to tell of what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.spec.numbers import plain_numbers
from runner.spec.placing import place_of, template_of, tree_of
from runner.spec.quantities import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.model import JsonMapping
    from runner.spec.campaign import Place, Template
    from runner.spec.hook_document import HookDocument
    from runner.spec.yaml_source import Path, Source


@dataclass(frozen=True, slots=True)
class HookSpec:
    """Whom to tell of which moments of a run: exactly one of a command and a URL to post to.

    `body` is text, or a mapping whose strings are templates at any depth; None: the signal as it is. `answer` is what the
    answer must have. `env` are variables that a command has though they look like credentials.
    """

    place: Place
    on: tuple[str, ...]
    command: tuple[Template, ...] | None = None
    env: tuple[str, ...] = ()
    post: Template | None = None
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: object = None
    answer: JsonMapping = field(default_factory=dict)
    timeout_s: float = 10.0
    attempts: int = 3


def load_hook(document: HookDocument, source: Source, path: Path) -> HookSpec:
    """One entry of `on_event`."""
    command, post = document.command, document.post
    return HookSpec(
        place=place_of(source, path),
        on=tuple(dict.fromkeys(document.on)),
        command=None
        if command is None
        else tuple(template_of(source, text, (*path, "command", index)) for index, text in enumerate(command)),
        env=tuple(document.env),
        post=None if post is None else template_of(source, post, (*path, "post")),
        headers={name: template_of(source, text, (*path, "headers", name)) for name, text in document.headers.items()},
        body=None if document.body is None else tree_of(source, document.body, (*path, "body")),
        answer=plain_numbers(document.answer),
        timeout_s=parse_duration(document.timeout) or 0.0,
        attempts=document.attempts,
    )


def private_templates(hook: HookSpec) -> Iterator[Template]:
    """Those of a URL and its headers, where secrets may stand."""
    if hook.post is not None:
        yield hook.post
    yield from hook.headers.values()
