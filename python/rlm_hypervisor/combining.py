"""How results of chunks become one where not all of them need to be in one place: mergeable aggregates, and functions
that may be called on some of the results and on what they returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rlm_hypervisor.errors import InvalidTaskError

__all__ = ["Aggregate", "associative"]

FAN = 16
"""Results that go together at most before the last call."""


class Aggregate(Protocol):
    """What a class has to have to be the `combine` of a task: it is made for each chunk in a worker, and their states
    are merged there, some at a time.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> class Mean:
    ...     def __init__(self):
    ...         self.total, self.count = 0.0, 0
    ...     def update(self, partition):
    ...         self.total += float(partition["v"].sum())
    ...         self.count += len(partition)
    ...     def state(self):
    ...         return self.total, self.count
    ...     def merge(self, state):
    ...         self.total += state[0]
    ...         self.count += state[1]
    ...     def finish(self):
    ...         return self.total / self.count
    >>> data = pd.DataFrame({"v": [1.0, 2.0, 3.0, 6.0]})
    >>> given = {"source": data, "chunkSize": 2, "operation": lambda p: p[p["v"] > 1], "combine": Mean}
    >>> with RLMClient(workers=1) as client:
    ...     print(round(client.execute({"type": "parallel", "input": given}), 3))
    3.667
    """

    def update(self, part: Any, /) -> None:
        """Takes in what the operation returned for a chunk, batch or item."""

    def state(self) -> Any:
        """All that it knows, as something that can be pickled; small, for it travels."""

    def merge(self, state: Any, /) -> None:
        """Takes in the state of another one, of chunks that come after its own."""

    def finish(self) -> Any:
        """The answer."""


_METHODS = ("update", "state", "merge", "finish")


def is_aggregate(combine: Any) -> bool:
    """Whether a `combine` is the class of an aggregate.

    Raises:
        InvalidTaskError: it is one that lacks some of the methods.
    """
    if not isinstance(combine, type) or not (hasattr(combine, "merge") or hasattr(combine, "finish")):
        return False
    missing = [name for name in _METHODS if not callable(getattr(combine, name, None))]
    if missing:
        raise InvalidTaskError(
            f"`input.combine` is the class `{combine.__name__}`, which lacks {', '.join(missing)}. "
            f"The class of an aggregate has {', '.join(_METHODS)}",
            details={"path": "input.combine", "missing": missing},
        )
    return True


class Associative:
    """Made by `associative`."""

    def __init__(self, function: Callable[[list[Any]], Any]) -> None:
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, parts: list[Any]) -> Any:
        """What the function returns."""
        return self.function(parts)


def associative(function: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    """Says of a `combine` that it may be called on some of the results first, and then on what it returned.

    Neighbouring results are combined in several workers at once, a few at a time, and their order is kept; so no call
    gets more than 16. `sum`, `max` and concatenation are associative; a mean of means is not.

    Args:
        function: of a list of results, or of what it returned itself; for one and the same list it has to return the
            same whatever parts of it were combined before.

    Raises:
        InvalidTaskError: it cannot be called.

    >>> from rlm_hypervisor import RLMClient, associative
    >>> given = {"items": range(1000), "operation": abs, "combine": associative(sum)}
    >>> with RLMClient(workers=2) as client:
    ...     client.execute({"type": "parallel", "input": given})
    499500
    """
    if not callable(function):
        raise InvalidTaskError(f"`associative` is for a function, and {function!r} cannot be called")
    return Associative(function)
