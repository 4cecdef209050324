"""What is remembered of a credential that the service refused, for all processes that use the same state folder.

Neither a key nor what it could be guessed from is kept. An identity is known by a hash that is keyed with a salt of the
folder; of a secret 16 bits of such a hash are kept: enough to see that it is another one, too few to find it by.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import orjson

from runner.rules.answers import ServiceError
from runner.rules.refused_calls import (
    Asker,
    RefusedCalls,
    after_giving_back,
    after_refusal,
    in_words,
    next_call_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.engine.ports import KeptCredentials
    from runner.rules.refused_calls import Identity

    Change = Callable[[RefusedCalls, Asker], RefusedCalls | None]

# How often to try again where another process holds the store, seconds.
_BUSY_S = 0.05
_NAME_BYTES = 16
_SECRET_BYTES = 2
_SALT = b"of this process alone"


class CredentialMemory:
    """What one process knows, and tells others. `holder` is its name, `wall` gives epoch seconds.

    A call is taken to be over after `turn_s`. With `insists`, one call is made though it is too soon for that.
    """

    def __init__(
        self,
        kept: KeptCredentials,
        wall: Callable[[], float],
        holder: str,
        *,
        turn_s: float = 60.0,
        insists: bool = False,
    ) -> None:
        self.kept = kept
        self.wall = wall
        self.holder = holder
        self.turn_s = turn_s
        self.insists = insists
        self._calls: list[RememberedCalls] = []

    def of(self, identify: Callable[[], Identity]) -> RememberedCalls:
        """The calls of whoever `identify` says that they are made as now."""
        self._calls.append(RememberedCalls(self, identify))
        return self._calls[-1]

    def flush(self) -> None:
        """Tell what could not be told yet, as far as the store is free: a process that ends may be the last that knows."""
        for calls in self._calls:
            calls.flush()


class RememberedCalls:
    """The calls of one identity, which may change. Whoever begins one tells what came of it, or gives it back."""

    def __init__(self, memory: CredentialMemory, identify: Callable[[], Identity]) -> None:
        self._memory = memory
        self._identify = identify
        self._untold: list[Change] = []

    @property
    def is_renewed(self) -> bool:
        """Whether a proof that is refused may just be old, and another one comes by itself."""
        return self._identify().is_renewed

    def free_in(self) -> float | None:
        """In how many seconds to ask again; 0: a call may be made now, alone; None: none may be made any more."""
        return self._asked(lambda known, _: known)

    def begin(self) -> float | None:
        """The same; and if one may be made now, nobody else makes one until that is over."""
        memory = self._memory

        def take(known: RefusedCalls, asker: Asker) -> RefusedCalls:
            return known._replace(turn=asker.name, turn_until=memory.wall() + memory.turn_s)

        wait_s = self._asked(take)
        if wait_s == 0.0:
            memory.insists = False
        return wait_s

    def refused(self, calls: int = 1) -> None:
        """A call was refused, and so many in all of which was not told before."""
        now = self._memory.wall()
        self._tell(lambda known, asker: after_refusal(known, asker, now, calls))

    def worked(self) -> None:
        """A call was taken: what was refused before does not count any more."""
        self._tell(lambda _, __: None)

    def lapsed(self) -> None:
        """A call was not made, or says nothing."""
        self._tell(after_giving_back)

    def told(self, error: ServiceError) -> ServiceError:
        """An error; where no call may be made any more, with why."""
        seen: list[RefusedCalls] = []

        def look(known: RefusedCalls, asker: Asker) -> RefusedCalls:
            if next_call_in(known, asker, self._memory.wall()) is None:
                seen.append(known)
            return known

        self._change(look)
        if not seen:
            return error
        said = in_words(seen[0], self._identify())
        return ServiceError(error.http_status, error.code, f"{error.message}: {said}", error.request_id)

    def _asked(self, change: Change) -> float | None:
        answer: list[float | None] = []

        def ask(known: RefusedCalls, asker: Asker) -> RefusedCalls | None:
            answer.append(next_call_in(known, asker, self._memory.wall()))
            return change(known, asker) if answer[0] == 0.0 else known

        is_done = self.flush() and self._change(ask)
        return answer[0] if is_done else _BUSY_S

    def _tell(self, change: Change) -> None:
        """Note it; where another process holds the store, before the next call at the latest."""
        self._untold.append(change)
        self.flush()

    def flush(self) -> bool:
        """Tell what could not be told yet. Is nothing left of it?"""
        while self._untold and self._change(self._untold[0]):
            del self._untold[0]
        return not self._untold

    def _change(self, change: Change) -> bool:
        memory, identity = self._memory, self._identify()
        salt = memory.kept.salt
        secret = _hashed(salt, identity.secret)[: 2 * _SECRET_BYTES] if identity.secret else ""
        asker = Asker(memory.holder, secret, identity.limit, memory.insists)

        def changed(before: str | None) -> str | None:
            after = change(_read(before), asker)
            return None if after is None or after == RefusedCalls() else orjson.dumps(list(after)).decode()

        return memory.kept.change(_hashed(salt, identity.name)[: 2 * _NAME_BYTES], changed)


class KeptInProcess:
    """What a process keeps for itself alone. `is_held` says whether another one holds it just now."""

    def __init__(self, is_held: Callable[[], bool] = lambda: False) -> None:
        self.salt = _SALT
        self.rows: dict[str, str] = {}
        self._is_held = is_held

    def change(self, credential: str, change: Callable[[str | None], str | None]) -> bool:
        """See `KeptCredentials.change`."""
        if self._is_held():
            return False
        after = change(self.rows.pop(credential, None))
        if after is not None:
            self.rows[credential] = after
        return True


def _hashed(salt: bytes, value: str) -> str:
    return hmac.new(salt, value.encode(), hashlib.sha256).hexdigest()


def _read(text: str | None) -> RefusedCalls:
    """What was noted; what cannot be read is as if it was not."""
    try:
        in_a_row, in_all, since, last_at, secret, turn, turn_until = orjson.loads(text or "null")
        return RefusedCalls(
            int(in_a_row), int(in_all), float(since), float(last_at), str(secret), str(turn), float(turn_until)
        )
    except (ValueError, TypeError):
        return RefusedCalls()
