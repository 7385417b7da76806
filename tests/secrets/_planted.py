"""A planted secret: the ways in which it may be written, and the search for it in everything that was told."""

from __future__ import annotations

import base64
import html
import json
import pickle
import traceback
import urllib.parse
from collections.abc import Iterable
from typing import Any

from rlm_hypervisor import InvalidTaskError

PLANTED = 'Pl4nted/Secret+Value="9~&x'
"""Has what every way of writing has to escape."""


def ways(value: str = PLANTED) -> dict[str, str]:
    """The value as somebody may have written it in a text."""
    raw = value.encode()
    quoted = urllib.parse.quote(value, safe="")
    return {
        "plain": value,
        "base64": base64.b64encode(raw).decode(),
        "base64 after one": base64.b64encode(b"u" + raw + b":tail").decode(),
        "base64 after two": base64.b64encode(b"us" + raw + b":t").decode(),
        "base64 of a pair": base64.b64encode(b"user:" + raw).decode(),
        "urlsafe base64": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "urlsafe base64 after one": base64.urlsafe_b64encode(b"k" + raw + b"v").decode(),
        "percent": quoted,
        "percent in small letters": quoted.replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
        "form": urllib.parse.quote_plus(value),
        "json": json.dumps(value),
        "json in json": json.dumps(json.dumps({"key": value})),
        "repr": repr(value),
        "repr of bytes": repr(raw),
        "html": html.escape(value),
        "hex": raw.hex(),
        "capital hex": raw.hex().upper(),
    }


def needles(value: str = PLANTED) -> set[bytes]:
    """Parts of each way that tell it: none of them may be in a text."""
    found = {way.strip("'\"b").encode() for way in ways(value).values()}
    # A part of the value is as bad: what stands before the first and after the last special character.
    return {needle for needle in found if len(needle) > 8} | {b"Pl4nted", b"Secret+V", b"UGw0bnRlZ"}


def leaks(told: bytes | str, value: str = PLANTED) -> list[bytes]:
    """The needles in something that was told."""
    data = told.encode("utf-8", "surrogatepass") if isinstance(told, str) else told
    return sorted(needle for needle in needles(value) if needle in data)


def said(error: BaseException) -> Iterable[str | bytes]:
    """All that an exception says, in every way that programs look at it."""
    seen: list[BaseException] = [error]
    for one in seen:
        yield from (str(one), repr(one), repr(one.args), repr(vars(one)))
        yield repr(getattr(one, "details", None))
        yield repr(getattr(one, "__notes__", None))
        yield "".join(traceback.format_exception_only(one))
        seen += [
            other for other in (one.__cause__, one.__context__) if other is not None and other not in seen
        ]
    yield "".join(traceback.TracebackException.from_exception(error).format())
    yield pickle.dumps(error)


def of_run(run: Any) -> Iterable[str]:
    """All that a run tells."""
    yield repr(run)
    yield repr(run.explain().to_dict())
    yield str(run.explain())
    yield run.explain()._repr_html_()
    yield repr(run.metrics())
    yield repr(run.progress)
    yield repr(run.events())
    yield repr(run.output())
    yield repr((run.description, run.tags))


WAYS = ways()
PROVIDERS = [{"planted": PLANTED}]


def task(operation: Any, items: Any, **options: Any) -> dict[str, Any]:
    return {"type": "parallel", "input": {"items": items, "operation": operation}, "options": options}


def nothing_leaks(*told: Any) -> None:
    for one in told:
        data = one if isinstance(one, str | bytes) else repr(one)
        assert not leaks(data), f"{leaks(data)} in {data[:4_000]!r}"


class Odd(Exception):
    """Keeps its text in places of its own."""

    def __init__(self, text: str) -> None:
        super().__init__("odd", {"in a dict": [text]})
        self.more = {"text": (text, 1)}
        self.opaque = Opaque(text)

    def __str__(self) -> str:
        return f"odd: {self.more['text'][0]} {self.opaque}"


class Opaque:
    def __init__(self, text: str) -> None:
        self.text = [text]

    def __repr__(self) -> str:
        return f"<{self.text[0]}>"


class Stubborn(Exception):
    """Hides its text where it cannot be changed."""

    __slots__ = ("parts",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts = tuple(text)

    def __str__(self) -> str:
        return "".join(self.parts)

    def __reduce__(self) -> Any:
        return Stubborn, (str(self),)


def raise_it(item: tuple[str, str]) -> None:
    how, text = item
    if how == "value":
        raise ValueError("connection failed: " + text + "; giving up")
    if how == "os":
        raise FileNotFoundError(2, "no such thing as " + text, "/tmp/" + text)
    if how == "key":
        raise KeyError(text)
    if how == "odd":
        raise Odd(text)
    if how == "stubborn":
        raise Stubborn(text)
    if how == "chained":
        try:
            raise KeyError(text)
        except KeyError as error:
            raise RuntimeError(f"because of {text}") from error
    if how == "context":
        try:
            raise KeyError(text)
        except KeyError:
            raise RuntimeError(f"after {text}")  # noqa: B904
    if how == "noted":
        error = ValueError("noted")
        error.__notes__ = [f"with {text}"]  # type: ignore[attr-defined]
        raise error
    if how == "long":
        # The secret lies across the place where texts are cut.
        raise ValueError("x" * (3_990 - len(text) % 7) + text * 3)
    if how == "very long":
        raise ValueError("x" * 15_990 + text * 3)
    if how == "ours":
        raise InvalidTaskError("ours: " + text, details={"text": [text, {text: Opaque(text)}]})
    if how == "exit":
        raise SystemExit(text)


RAISES = (
    "value",
    "os",
    "key",
    "odd",
    "stubborn",
    "chained",
    "context",
    "noted",
    "long",
    "very long",
    "ours",
    "exit",
)
