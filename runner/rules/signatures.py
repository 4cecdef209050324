"""What messages have in common: the same trouble on two servers differs in numbers, ids, paths and addresses.

As Drain (He et al. 2017, "Drain: An Online Log Parsing Approach with Fixed Depth Tree") and its kin do first: what varies is
masked by patterns, and what is left tells messages apart. Nothing is learned, so that a message has the same signature in
every run.
"""

from __future__ import annotations

import re
from functools import lru_cache

from runner.plain import one_line

LONGEST = 200
# Each is tried in this order where the one before ended. What tells one trouble from another is kept: the
# service's codes; and so are escapes.
_KEPT = "kept"
_PATTERNS = {
    _KEPT: r"\b(?:ModelArts|APIGW|IAM)\.\w+|\bHTTP \d{3}\b|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}",
    "url": r"\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'`<>,;]+",
    "time": r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b",
    "id": r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b",
    "address": r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b|(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}(?![\w:])",
    "path": r"(?<![\w<>/])(?:~|\.{1,2})?/[\w.@+~-]+(?:/[\w.@+~-]*)*",
    "name": r"\b(?=[a-z_.-]*\d)[a-z][\w.-]*\w\b|\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{6,}\b",
    "n": r"\d+(?:[.,]\d+)*",
}
_VARIES = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()), re.IGNORECASE)


@lru_cache(maxsize=4096)
def signature(message: str) -> str:
    """What is left of a message, in one line, when all that varies is masked. Equal for messages of the same trouble."""
    return one_line(_VARIES.sub(_masked, one_line(message)), LONGEST)


def _masked(found: re.Match[str]) -> str:
    return found[0] if found.lastgroup == _KEPT else f"<{found.lastgroup}>"
