"""What an operation of a recursive task returns instead of a value: inputs to be called on, and what combines them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rlm_hypervisor.errors import InvalidTaskError, exposed

__all__ = ["Split", "split"]


class Split:
    """Made by `split`."""

    __slots__ = ("combine", "inputs")

    def __init__(self, inputs: list[Any], combine: Callable[[list[Any]], Any] | None) -> None:
        self.inputs = inputs
        self.combine = combine

    def __repr__(self) -> str:
        return f"split({len(self.inputs)} inputs)"


def split(inputs: Iterable[Any], combine: Callable[[list[Any]], Any] | None = None) -> Any:
    """To be returned by the operation of a recursive task: call it on each of these inputs instead.

    The inputs run in parallel, wherever a worker is free; each may be split again, to the task's `maxDepth`. Those of
    a task over a source may be frames, or `partition.take_rows(start, stop)`: neighbouring rows, of which nothing but
    their numbers travels. Either comes to the operation as a partition.

    Args:
        inputs: what the operation is called on, in their order.
        combine: a function of the list of their results, in the same order; what it returns is the result of
            the input that was split. It may itself return `split(...)`. Default: the list.

    Raises:
        InvalidTaskError: `inputs` cannot be iterated, or `combine` cannot be called.

    >>> from rlm_hypervisor import RLMClient, split
    >>> def total(numbers):
    ...     if len(numbers) < 3:
    ...         return sum(numbers)
    ...     half = len(numbers) // 2
    ...     return split([numbers[:half], numbers[half:]], combine=sum)
    >>> with RLMClient(workers=1) as client:
    ...     client.execute({"type": "recursive", "operation": total, "input": [1, 2, 3, 4, 5]})
    15
    """
    if combine is not None and not callable(combine):
        raise InvalidTaskError(f"`combine` of `split` must be callable, and {combine!r} is not")
    try:
        return Split(list(inputs), combine)
    except TypeError as error:
        raise InvalidTaskError(
            f"the inputs of `split` must be a list or another iterable: {error}"
        ) from exposed(error)
