"""What is made of the user's functions before workers call them."""

from __future__ import annotations

import functools
import inspect
import numbers
import operator
import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from rlm_hypervisor.worker import context
from rlm_hypervisor.worker.codec import dump


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
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def made_of(self) -> tuple[Any, ...]:
        """What it was made of."""
        return (self.function,)

    @functools.cached_property
    def _with_context(self) -> bool:
        return takes_two(self.function)

    def __call__(self, value: Any) -> Any:
        """What the function returns."""
        if self._with_context:
            from rlm_hypervisor.worker.context import HandlerContext

            return self.function(value, HandlerContext(self.__name__))
        return self.function(value)


def takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function has to be given two positional arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wanted = [p for p in parameters if p.kind in positional and p.default is inspect.Parameter.empty]
    return len(wanted) == 2


class Prepared:
    """A program that makes something ready before its first item."""

    def prepare(self) -> None:
        """Does that, unless it is done."""
        raise NotImplementedError


class Inference(Prepared):
    """A model and what is asked of it: `setup` is called once in each worker, before its first batch.

    Args:
        setup: makes the model; None where the operation has what it needs.
        operation: a function of the model and a batch, or of the batch alone where there is no `setup`.
        counted: whether the batch is a list, for which the operation has to return as many results.
    """

    def __init__(self, setup: Callable[[], Any] | None, operation: Callable[..., Any], counted: bool) -> None:
        self._setup = setup
        self._operation = operation
        self._counted = counted
        self._model: tuple[Any] | None = None
        self.__name__ = getattr(operation, "__name__", type(operation).__name__)

    def made_of(self) -> tuple[Any, ...]:
        """What it was made of."""
        return self._setup, self._operation, self._counted

    def prepare(self) -> None:
        """Makes the model, unless it is there."""
        if self._setup is None or self._model is not None:
            return
        try:
            self._model = (self._setup(),)
        except BaseException as error:
            # It is not the fault of what the call is on.
            current = context.now()
            if current is not None:
                current.unready = error
            raise

    def __call__(self, batch: Any) -> Any:
        """The results for a batch."""
        self.prepare()
        results = self._operation(batch) if self._model is None else self._operation(self._model[0], batch)
        if not self._counted:
            return results
        results = list(results)
        if len(results) != len(batch):
            raise ValueError(
                f"`{self.__name__}` returned {len(results)} results for a batch of {len(batch)}; "
                "it has to return one for each"
            )
        return results


class Stated:
    """An operation whose results an aggregate takes in: what is sent is the state of that.

    Args:
        operation: the user's, of an item, a batch or a partition.
        aggregate: the user's class.
    """

    def __init__(self, operation: Callable[..., Any], aggregate: Any) -> None:
        self._operation = operation
        self._aggregate = aggregate
        self.__name__ = getattr(operation, "__name__", type(operation).__name__)

    def __call__(self, given: Any) -> Any:
        """The state after one update."""
        made = self._aggregate()
        made.update(self._operation(given))
        return made.state()


class Merging:
    """The calls that put results together some at a time: states of an aggregate, or results of a function.

    Args:
        combine: the class of the aggregate, or the function.
        aggregate: whether it is the first.
    """

    def __init__(self, combine: Callable[..., Any], aggregate: bool) -> None:
        self._combine = combine
        self._aggregate = aggregate
        self.__name__ = getattr(combine, "__name__", type(combine).__name__)

    def __call__(self, given: tuple[list[Any], bool]) -> Any:
        """What stands for the results; the answer where they are the last."""
        from rlm_hypervisor.worker.rows import plain

        parts, final = given
        if not self._aggregate:
            return plain(self._combine(parts))
        made = self._combine()
        for state in parts:
            made.merge(state)
        return plain(made.finish()) if final else made.state()


class Encoding:
    """A program whose results of a call go together, in blobs of its own."""

    def encode(self, places: list[int], results: list[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The blobs, and what is said of them."""
        raise NotImplementedError


Place: TypeAlias = tuple[int, int]
"""Where a key came up first: the item, and which of the item's values."""


class MapSide(Encoding):
    """The first half of a map and reduce: values by key, shuffled into parts.

    Args:
        function: the user's map.
        key: the user's function of a mapped value, columns of it, or None for a single group.
        combine: the user's function of a list of values, which becomes one; None keeps all.
        parts: into how many parts keys are shuffled.
        rows: whether what is mapped are the rows of a chunk.
    """

    def __init__(self, function: Any, key: Any, combine: Any, parts: int, rows: bool) -> None:
        self._function, self._key, self._combine, self._parts, self._rows = (
            function,
            key,
            combine,
            parts,
            rows,
        )
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, item: Any) -> list[tuple[Any, Any]]:
        """The mapped value of an item with its key; several where it is a frame that is grouped by columns."""
        if self._rows:
            from rlm_hypervisor.worker.rows import concrete, plain

            data, facts = item
            value = plain(self._function(concrete(data, facts)))
        else:
            value = self._function(item)
        if self._key is None:
            return [(None, value)]
        if callable(self._key):
            return [(self._key(value), value)]
        columns = list(self._key)
        if hasattr(value, "groupby"):
            groups: Iterable[tuple[Any, Any]] = value.groupby(columns, sort=False, dropna=False)
            return [(key if len(columns) > 1 else key[0], group) for key, group in groups]
        found = tuple(value[column] for column in columns)
        return [(found if len(columns) > 1 else found[0], value)]

    def encode(self, places: list[int], results: list[Any]) -> tuple[list[Any], dict[str, Any]]:
        """A blob for each part: `{key: [(place, value), ...]}`."""
        current = context.now()
        first, part = (0, 0) if current is None else (current.first, current.part)
        parts: list[dict[Any, list[tuple[Place, Any]]]] = [{} for _ in range(self._parts)]
        for place, pairs in zip(places, results, strict=True):
            for number, (key, value) in enumerate(pairs):
                parts[part_of(key, self._parts)].setdefault(key, []).append(
                    ((first + place, part + number), value)
                )
        if self._combine is not None:
            parts = [{key: [self._combined(found)] for key, found in part.items()} for part in parts]
        return [dump(part) for part in parts], {}

    def _combined(self, found: list[tuple[Place, Any]]) -> tuple[Place, Any]:
        """What stands for the values of a key that are together, at the place of the first."""
        return found[0][0], self._combine([value for _, value in found])


def part_of(key: Any, parts: int) -> int:
    """The part that a key belongs to, the same in every process: Python's own hash of text is not.

    Keys that are equal have to be in one part, so numbers go by their value, whatever their type.
    """
    import zlib

    if parts == 1:
        return 0
    if isinstance(key, tuple):
        found = 0
        for one in key:
            found = zlib.crc32(found.to_bytes(4, "little"), part_of(one, 1 << 30))
        return found % parts
    if isinstance(key, str):
        return zlib.crc32(key.encode("utf-8", "surrogatepass")) % parts
    if isinstance(key, bytes):
        return zlib.crc32(key) % parts
    if isinstance(key, numbers.Number):
        return hash(key) % parts
    # Equal keys of other types may have other bytes, so they are all in one part.
    return 0


class ReduceSide:
    """The second half: the values of each key of a part, in the order of their items, are reduced.

    Args:
        function: the user's, of the values, or of the key and the values.
        keyed: whether there are keys.
    """

    def __init__(self, function: Any, keyed: bool) -> None:
        self._function = function
        self._keyed = keyed
        self._with_key = keyed and takes_two(function)
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, blobs: list[Any]) -> list[tuple[Place, Any, Any]]:
        """`(first place, key, result)` of each key of the part."""
        groups: dict[Any, list[tuple[Place, Any]]] = {}
        for blob in blobs:
            for key, found in pickle.loads(blob).items():
                groups.setdefault(key, []).extend(found)
        reduced = []
        for key, found in groups.items():
            # Items that were tried again come later than their neighbours.
            found.sort(key=operator.itemgetter(0))
            values = [value for _, value in found]
            result = self._function(key, values) if self._with_key else self._function(values)
            reduced.append((found[0][0], key, result))
        return reduced
