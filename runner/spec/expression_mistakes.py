"""What people write in place of an expression over a server, and what they meant."""

from __future__ import annotations

ALL_SERVERS = 'all servers are `select: "true"`'
_ALL = {"*", "all", "any", "yes", "everything"}


def expression_hint(source: str) -> str:
    """Advice on an expression that cannot be read; empty where there is none."""
    text = source.strip()
    if text.lower() in _ALL:
        return ALL_SERVERS
    if text.startswith("{{") and text.endswith("}}") and "{{" not in text[2:]:
        return f"an expression is written without braces: {text[2:-2].strip()}"
    return "an expression is written without braces" if "{{" in text or "{%" in text else ""
