"""Tells exceptions that a signal handler raised from those of the code that it interrupted."""

from __future__ import annotations

import functools
import signal
from types import CodeType
from typing import Any

__all__ = ["by_handler"]


def by_handler(error: BaseException) -> bool:
    """Whether a function that handles a signal by now was running when the exception was raised.

    One that was injected into a thread (`PyThreadState_SetAsyncExc`) cannot be told from one of the code.
    """
    handlers = {code for number in signal.valid_signals() if (code := _code(signal.getsignal(number)))}
    trace = error.__traceback__
    while trace is not None and handlers:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


def _code(handler: Any) -> CodeType | None:
    """What runs when a handler is called; of one that is no Python code nothing is known."""
    if handler is None or isinstance(handler, int):
        return None
    while isinstance(handler, functools.partial):
        handler = handler.func
    handler = getattr(handler, "__func__", handler)
    # One that is no function is an object that is called as its class says.
    code = getattr(handler, "__code__", None) or getattr(type(handler).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None
