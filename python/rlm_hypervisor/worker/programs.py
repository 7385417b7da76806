"""What is made of the user's functions before workers call them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any


class Chain:
    """Functions, each of which receives what the one before returned."""

    def __init__(self, steps: Sequence[Callable[..., Any]]) -> None:
        self._steps = tuple(steps)
        self.__name__ = " | ".join(getattr(step, "__name__", type(step).__name__) for step in steps)

    def __call__(self, value: Any) -> Any:
        """What the last step returns."""
        for step in self._steps:
            value = step(value)
        return value


class Handler:
    """A function of one value; one that wants a second argument gets a context, as AWS Lambda's handlers do."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, value: Any) -> Any:
        """What the function returns."""
        if wants_context(self._function):
            from rlm_hypervisor.worker.context import HandlerContext

            return self._function(value, HandlerContext(self.__name__))
        return self._function(value)


def wants_context(function: Callable[..., Any]) -> bool:
    """Whether a function has to be given a second positional argument."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wanted = [p for p in parameters if p.kind in positional and p.default is inspect.Parameter.empty]
    return len(wanted) == 2
