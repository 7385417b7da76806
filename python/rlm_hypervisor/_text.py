"""Words for messages: the nearest right name, lists of names."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(wrong: str, right: Iterable[str]) -> str | None:
    """The name that was most likely meant, if any is likely."""
    import difflib

    names = list(right)
    folded = {name.lower(): name for name in reversed(names)}
    if wrong.lower() in folded:
        return folded[wrong.lower()]
    found = difflib.get_close_matches(wrong.lower(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def listed(names: Iterable[object], limit: int = 12) -> str:
    """`'a', 'b' and 3 more`."""
    shown = [repr(name) for name in names]
    if len(shown) > limit:
        return ", ".join(shown[:limit]) + f" and {len(shown) - limit} more"
    return ", ".join(shown)


def clipped(value: object, limit: int = 60) -> str:
    """A value's repr, short enough for a message."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."
