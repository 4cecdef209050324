"""The hash of a plan: over what it does, so that whoever plans the same again can compare.

Outside are: when it was made; by which version (what a version plans otherwise is in the requests; the one that carries a
plan out is in the journal); its warnings, which are for people and name the jobspec as it was given; and the folder where
the programs of checks and hooks are, which are known by their fingerprints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson

from runner.plan.hooks import without_hook_folders
from runner.plan.rollout.codec import without_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.model import Json, JsonMapping, JsonObject

_NOT_HASHED = frozenset({"plan_hash", "created_at", "runner_version"})


def hash_document(document: JsonMapping) -> str:
    """`sha256:` and the digest over the canonical JSON of what the plan in this document does."""
    return _digest(_what_it_does(document))


def is_hash_of(document: JsonMapping, claimed: object) -> bool:
    """Whether this is the document's hash, by the rule of today or by one of those that plans were made with before."""
    return any(claimed == _digest(hashed) for hashed in _hashed(document))


def _hashed(document: JsonMapping) -> Iterator[JsonMapping]:
    yield _what_it_does(document)
    before = {key: value for key, value in document.items() if key != "plan_hash"}
    yield before
    if not document.get("parents"):  # plans were made before there were retries
        yield {key: value for key, value in before.items() if key != "parents"}


def _what_it_does(document: JsonMapping) -> JsonObject:
    hashed = {key: value for key, value in document.items() if key not in _NOT_HASHED}
    hashed["summary"] = {key: value for key, value in document["summary"].items() if key != "warnings"}
    if "rollout" in document:
        hashed["rollout"] = without_folders(document["rollout"])
    if "on_event" in document:
        hashed["on_event"] = without_hook_folders(document["on_event"])
    return hashed


def _digest(hashed: JsonMapping) -> str:
    """Of canonical JSON, made part by part: all of it at once is hundreds of megabytes for a fleet of a million."""
    digest = hashlib.sha256()
    for part in _mapping(hashed):
        digest.update(part)
    return f"sha256:{digest.hexdigest()}"


def _mapping(mapping: JsonMapping) -> Iterator[bytes]:
    yield b"{"
    for index, key in enumerate(sorted(mapping)):
        yield b"," * bool(index) + orjson.dumps(key) + b":"
        yield from _value(mapping[key])
    yield b"}"


def _value(value: Json) -> Iterator[bytes]:
    """Of a value; an iterator is a list that comes in pieces."""
    if isinstance(value, Iterator):
        yield b"["
        for index, piece in enumerate(value):
            yield b"," * bool(index)
            yield from _items(piece)
        yield b"]"
    elif _has_pieces(value):
        yield from _mapping(value)
    else:
        yield orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _items(piece: Sequence[Json]) -> Iterator[bytes]:
    if not _has_pieces(piece[0]):
        yield orjson.dumps(piece, option=orjson.OPT_SORT_KEYS)[1:-1]
        return
    for index, item in enumerate(piece):
        yield b"," * bool(index)
        yield from _value(item)


def _has_pieces(value: Json) -> bool:
    parts = value.values() if isinstance(value, dict) else (value,)
    return any(isinstance(part, Iterator) for part in parts)
