"""Refusals that the user's own `except` caught: what ran after one is not what pandas would have run.

`except TypeError` around something that needs real rows catches our refusal, where pandas would have gone on.
So refusals are noted when they are made, and end the trace even if the function goes on without them. Within
functions of single values, library code that takes only real values raises a TypeError of its own; that is
noted as well.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from rlm_hypervisor import errors
from rlm_hypervisor.errors import NotDecomposableError

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_RAISE = "RAISE_VARARGS"


def called_from(frame: FrameType | None, until: FrameType | None = None) -> TracebackType | None:
    """The stack as it is now, as a traceback: from the outermost frame within `until` to this one."""
    found: TracebackType | None = None
    while frame is not None and frame is not until:
        found = TracebackType(found, frame, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    return found


class Noted(NamedTuple):
    """A refusal, and the stack when it was made."""

    error: NotDecomposableError
    traceback: TracebackType | None


@contextlib.contextmanager
def noting() -> Iterator[list[Noted]]:
    """The refusals that this thread makes meanwhile."""
    kept = errors.noted()
    seen: list[Noted] = []
    outermost = sys._getframe(2)

    def note(error: NotDecomposableError) -> None:
        seen.append(Noted(error, called_from(sys._getframe(2), outermost)))

    errors.note_with(note)
    try:
        yield seen
    finally:
        errors.note_with(kept)


@contextlib.contextmanager
def forgiven() -> Iterator[None]:
    """Refusals made meanwhile are handled by us."""
    kept = errors.noted()
    errors.note_with(None)
    try:
        yield
    finally:
        errors.note_with(kept)


def explicit(frame: FrameType, instruction: int) -> bool:
    """Whether it is a `raise` that raised there."""
    import dis

    code = frame.f_code.co_code
    return instruction < len(code) and code[instruction] == dis.opmap[_RAISE]


@contextlib.contextmanager
def watching(refused: Callable[[str, TracebackType | None], Any]) -> Iterator[None]:
    """Tells of every TypeError that other code than ours raises meanwhile, caught or not.

    One that the user's own code raises with `raise` is meant, and not told of.
    """
    from rlm_hypervisor.partition.trace import _is_users

    def within(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "exception":
            kind, error, traceback = arg
            here = traceback is not None and traceback.tb_next is None
            if here and issubclass(kind, TypeError) and not issubclass(kind, errors.RLMError):
                users = _is_users(frame.f_code.co_filename)
                if not (users and explicit(frame, traceback.tb_lasti)):
                    refused(f"{kind.__name__}: {error}", called_from(frame))
        return within

    def entered(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        frame.f_trace_lines = False
        return within

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        yield
    finally:
        sys.settrace(before)


def is_foreign(error: BaseException) -> bool:
    """Whether other code than ours raised it, and not by `raise`."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or last.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        return False
    return not explicit(last.tb_frame, last.tb_lasti)
