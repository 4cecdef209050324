"""Text of others, made fit for a person's screen: of the service, of checks, of files.

A terminal obeys some characters (escapes that set its title or a clipboard), others turn a line around for its reader (bidi
marks), and a line end lets one text pass for two. What leaves as JSON stays whole there, with these as JSON's escapes.
"""

from __future__ import annotations

import json
import re

LONGEST_LINE = 500

# All that Unicode calls control or format characters, separators of lines or paragraphs, and halves of surrogate pairs;
# but for the tab and the line end.
_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
_HALF = re.compile("[\ud800-\udfff]")


def plain(text: str) -> str:
    r"""Text, perhaps of several lines, that does nothing but to stand there: what would do more is written like \x1b."""
    if text.isprintable():
        return text
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: what the system gives may hold bytes of anything, as halves of characters."""
    return value.isascii() or _HALF.search(value) is None


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Text as a part of one line: a blank for blanks and line ends, and the end of what is longer left out."""
    if len(text) <= longest and text.isprintable():
        return text
    # Cut before and after: a text may be megabytes long, and escapes make it longer.
    line = " ".join(plain(" ".join(text[: 4 * longest].split())).split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


def plain_json(document: bytes) -> bytes:
    """The same JSON, as text that does nothing but to stand there."""
    if document.isascii() and b"\x7f" not in document:
        return document  # JSON itself escapes what is below the blank
    return _ACTING.sub(lambda found: json.dumps(found[0])[1:-1], document.decode()).encode()
