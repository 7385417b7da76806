"""Group-bys: `p.groupby("key")` and, of it, one column `["value"]`; each aggregate is one core call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.column import Column, piped
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.group_functions import GroupFunctions
from rlm_hypervisor.partition.group_rows import SeriesGroupRows
from rlm_hypervisor.partition.group_statistics import (
    FrameGroupStatistics,
    GroupStatistics,
    SeriesGroupStatistics,
)
from rlm_hypervisor.partition.grouped_column import GroupValue, Item, item_of, numbered
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.reductions import located
from rlm_hypervisor.partition.refusal import (
    boolean,
    is_label,
    labels_of,
    missing_column,
    only,
    refuse,
    refuse_value,
    whole_number,
)
from rlm_hypervisor.partition.surface import not_shadowed, unknown_attribute

__all__ = ["DataFrameGroupBy", "SeriesGroupBy"]


class GroupBy(GroupFunctions, GroupStatistics):
    """What the group-bys of a partition and of a column have in common."""

    __slots__ = ("_as_index", "_frame", "_group_keys", "_groups")
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]
    _surface = "DataFrameGroupBy"

    def __init__(self, groups: _core.Groups, frame: _core.Frame, as_index: bool) -> None:
        self._groups = groups
        self._frame = frame
        self._as_index = as_index
        self._group_keys = True

    def _engine(self, method: str, engine: object, engine_kwargs: object) -> None:
        only(self._call(method), engine=(engine, None), engine_kwargs=(engine_kwargs, None))

    def _aggregate(self, items: Sequence[Item | tuple[Any, GroupValue]], series: bool = False) -> Any:
        """Asks the core; the answer is a Partition or a Column."""
        if not items:
            refuse(
                f"`{self._surface}` has no columns left to aggregate",
                "Select some: `p.groupby('key')[['a', 'b']]`",
            )
        if not self._as_index:
            for item in items:
                label = item[0]
                if label in self._groups.keys:
                    refuse(
                        f"with `as_index=False` the result would have two columns {label!r}",
                        "Use named aggregation, or `as_index=True`",
                    )
        if any(len(item) == 2 or item[2] in ("idxmin", "idxmax") for item in items):
            return self._computed(items, series)
        frame = self._groups.aggregate(list(items), series and self._as_index)  # type: ignore[arg-type]
        return Column(frame) if frame.kind == "series" else Partition(frame)

    def _computed(self, items: Sequence[Item | tuple[Any, GroupValue]], series: bool) -> Any:
        """The same where something is computed of the aggregates afterwards."""
        values = [(item[0], item[1] if len(item) == 2 else GroupValue(item)) for item in items]
        parts = [part for _, value in values for part in value.items()]
        hidden = [("rlm", number) for number in range(len(parts))]
        asked: list[Item] = [(name, *part[1:]) for name, part in zip(hidden, parts, strict=True)]
        result = Partition(self._groups.aggregate(asked, False))
        columns = []
        for name, (_, _, function, _) in zip(hidden, asked, strict=True):
            column = result[name]
            if function in ("idxmin", "idxmax"):
                column = apply("required", column, located(function))
            columns.append(column)
        frame = result._frame
        for label, value in values:
            frame = frame.assign(label, value.resolve(columns)._frame)
        frame = frame.drop(hidden)
        return Column(frame.column(values[0][0])) if series and self._as_index else Partition(frame)

    def _tuples(self, partition: Any) -> Any:
        """With two levels of labels, key columns are `(key, "")`, as pandas has them."""
        if self._as_index:
            return partition
        return Partition(partition._frame.rename([(key, (key, "")) for key in self._groups.keys]))

    def sum(
        self,
        numeric_only: bool = False,
        min_count: int = 0,
        skipna: bool = True,
        engine: object = None,
        engine_kwargs: object = None,
    ) -> Any:
        """The sum of each group; missing where a group has fewer than `min_count` values."""
        self._engine("sum", engine, engine_kwargs)
        count = whole_number(self._call("sum"), "min_count", min_count)
        return self._skipping("sum", skipna, numeric_only, min_count=max(count, 0))

    def mean(
        self,
        numeric_only: bool = False,
        skipna: bool = True,
        engine: object = None,
        engine_kwargs: object = None,
    ) -> Any:
        """The mean of each group."""
        self._engine("mean", engine, engine_kwargs)
        return self._skipping("mean", skipna, numeric_only)

    def min(
        self,
        numeric_only: bool = False,
        min_count: int = -1,
        skipna: bool = True,
        engine: object = None,
        engine_kwargs: object = None,
    ) -> Any:
        """The smallest value of each group."""
        self._engine("min", engine, engine_kwargs)
        only(self._call("min"), min_count=(min_count, -1, 0, 1))
        return self._skipping("min", skipna, numeric_only)

    def max(
        self,
        numeric_only: bool = False,
        min_count: int = -1,
        skipna: bool = True,
        engine: object = None,
        engine_kwargs: object = None,
    ) -> Any:
        """The largest value of each group."""
        self._engine("max", engine, engine_kwargs)
        only(self._call("max"), min_count=(min_count, -1, 0, 1))
        return self._skipping("max", skipna, numeric_only)

    def first(self, numeric_only: bool = False, min_count: int = -1, skipna: bool = True) -> Any:
        """The first value of each group that is not missing; with `skipna=False` that of its first row."""
        only(self._call("first"), min_count=(min_count, -1, 0, 1))
        skip = boolean(self._call("first"), "skipna", skipna)
        return self._named("first" if skip else "row_first", numeric_only)

    def last(self, numeric_only: bool = False, min_count: int = -1, skipna: bool = True) -> Any:
        """The last value of each group that is not missing; with `skipna=False` that of its last row."""
        only(self._call("last"), min_count=(min_count, -1, 0, 1))
        skip = boolean(self._call("last"), "skipna", skipna)
        return self._named("last" if skip else "row_last", numeric_only)

    def std(
        self,
        ddof: int = 1,
        engine: object = None,
        engine_kwargs: object = None,
        numeric_only: bool = False,
        skipna: bool = True,
    ) -> Any:
        """The standard deviation of each group, with `n - ddof` in the denominator."""
        self._engine("std", engine, engine_kwargs)
        return self._skipping("std", skipna, numeric_only, ddof=whole_number(self._call("std"), "ddof", ddof))

    def var(
        self,
        ddof: int = 1,
        engine: object = None,
        engine_kwargs: object = None,
        numeric_only: bool = False,
        skipna: bool = True,
    ) -> Any:
        """The variance of each group, with `n - ddof` in the denominator."""
        self._engine("var", engine, engine_kwargs)
        return self._skipping("var", skipna, numeric_only, ddof=whole_number(self._call("var"), "ddof", ddof))

    def count(self) -> Any:
        """How many values of each group are not missing."""
        return self._named("count")

    def nunique(self, dropna: bool = True) -> Any:
        """How many different values each group has; with `dropna=False` missing ones count as one more."""
        if boolean(self._call("nunique"), "dropna", dropna):
            return self._named("nunique")
        return self._nunique_with_missing(self._columns())

    def _nunique_with_missing(self, columns: dict[Any, _core.Frame]) -> Any:
        """Different values, and one more in groups that have fewer values than rows."""
        size = ("rlm", "size")
        items: list[Item] = [(size, [], "size", {})]
        for label, column in columns.items():
            items += [(label, [column], "nunique", {}), (("rlm", "count", label), [column], "count", {})]
        result = self._aggregate(items)
        for label in columns:
            result[label] = result[label] + (result[("rlm", "count", label)] < result[size])
        result = result.drop(columns=[size, *(("rlm", "count", label) for label in columns)])
        return result[next(iter(columns))] if self._as_index and self._surface == "SeriesGroupBy" else result

    def get_group(self, name: Any) -> Any:
        """The rows of one group, by its key, or a tuple of keys; a run fails where there is no such group."""
        call = self._call("get_group")
        names = list(name) if isinstance(name, tuple) else [name]
        keys = [Column(frame) for frame in self._groups.key_columns()]
        if len(names) != len(keys):
            refuse(
                f"`{call}` takes a tuple of {len(keys)} key(s), not `{clipped(name)}`",
                "Give one value for each key, in their order",
                call=call,
            )
        found: Any = True
        for key, value in zip(keys, names, strict=True):
            found = (key == value) & found
        said = f"`{call}({clipped(name)})`: there is no such group"
        there = apply("ensure", found.any(), found.any(), said)
        return self._where(found & there)

    def size(self) -> Any:
        """How many rows each group has."""
        label = self._frame.columns[0] if self._surface == "SeriesGroupBy" else None
        return self._aggregate([(label if self._as_index else "size", [], "size", {})], series=True)

    def pipe(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """`func(self, *args, **kwargs)`."""
        return piped(self, func, args, kwargs)

    def __iter__(self) -> Iterator[Any]:
        refuse_value("iteration over groups", "Aggregate them: `.sum()`, `.agg(...)`")

    def __len__(self) -> int:
        refuse_value("`len()` of a group-by", "Return `p[['key']].drop_duplicates().shape[0]`")

    def __bool__(self) -> NoReturn:
        refuse_value("the truth of a group-by", "Aggregate it")

    def __repr__(self) -> str:
        return f"<{self._surface} by {self._groups.keys!r}>"


class DataFrameGroupBy(FrameGroupStatistics, GroupBy):
    """A partition's rows by key; its aggregates are partitions with one row per group.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})
    >>> def totals(p):
    ...     return p.groupby("k").agg(total=("v", "sum"), rows=("v", "size"))
    >>> answer = RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": totals}})
    >>> print(answer.to_pandas().reset_index())
       k  total  rows
    0  a      4     2
    1  b      2     1
    """

    __slots__ = ("_labels", "_selected")

    def __init__(
        self,
        groups: _core.Groups,
        frame: _core.Frame,
        as_index: bool,
        labels: Sequence[Any],
        selected: bool = False,
    ) -> None:
        super().__init__(groups, frame, as_index)
        self._labels = list(labels)
        self._selected = selected

    def _chosen(self) -> _core.Frame:
        return self._frame.select(self._labels) if self._selected else self._frame

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    def _item(self, label: Any, column: Any, given: fn.Function) -> Item | tuple[Any, GroupValue]:
        return item_of(label, self._frame.column(column), given, self._call("agg"))

    def _named(self, name: str, numeric_only: object = False, **params: Any) -> Any:
        labels = self._labels
        if boolean(self._call(name), "numeric_only", numeric_only):
            labels = [label for label in labels if DType(self._frame.column(label).dtypes[0]).is_number]
        return self._aggregate([(label, [self._frame.column(label)], name, params) for label in labels])

    def _columns(self) -> dict[Any, _core.Frame]:
        return {label: self._frame.column(label) for label in self._labels}

    def _check(self, label: Any, call: str) -> None:
        if label not in self._frame.columns:
            raise missing_column(label, self._frame.columns, call)

    def agg(
        self,
        func: Any = None,
        *args: object,
        engine: object = None,
        engine_kwargs: object = None,
        **kwargs: Any,
    ) -> Any:
        """Aggregates by name, list, dict, or named: `agg(total=("v", "sum"))`."""
        call = "`DataFrameGroupBy.agg`"
        only(self._call("agg"), engine=(engine, None), engine_kwargs=(engine_kwargs, None))
        if func is None:
            if args or not kwargs:
                refuse(f"{call} got no aggregates", "Name them: `.agg('sum')`, `.agg(total=('v', 'sum'))`")
            items = []
            for label, column, given in fn.named_pairs(kwargs, call):
                self._check(column, call)
                items.append(self._item(label, column, fn.function(given, fn.GROUPED, call)))
            return self._aggregate(items)
        if isinstance(func, str) and func in fn.GROUPED and hasattr(type(self), func):
            return getattr(self, func)(*args, **kwargs)
        fn.reject_arguments(call, args, kwargs)
        if isinstance(func, dict):
            return self._by_column(func, call)
        if fn.is_list(func):
            found = numbered(fn.functions(func, fn.GROUPED, call))
            items = [self._item((column, f.label), column, f) for column in self._labels for f in found]
            return self._tuples(self._aggregate(items))
        one = fn.function(func, fn.GROUPED, call)
        return self._aggregate([self._item(label, label, one) for label in self._labels])

    aggregate = agg

    def _by_column(self, given: dict[Any, Any], call: str) -> Any:
        for column in given:
            self._check(column, call)
        if not any(fn.is_list(value) for value in given.values()):
            return self._aggregate(
                [self._item(c, c, fn.function(f, fn.GROUPED, call)) for c, f in given.items()]
            )
        items = []
        for column, value in given.items():
            found = numbered(fn.functions(value if fn.is_list(value) else [value], fn.GROUPED, call))
            items += [self._item((column, f.label), column, f) for f in found]
        return self._tuples(self._aggregate(items))

    def __getitem__(self, key: Any) -> Any:
        if is_label(key):
            if key not in self._frame.columns:
                raise missing_column(key, self._frame.columns, f"`groupby(...)[{key!r}]`")
            return self._like(SeriesGroupBy(self._groups, self._frame.column(key), self._as_index))
        labels = labels_of(key)
        if labels is None:
            refuse(f"`groupby(...)[{clipped(key)}]` is not native", "Select a column or a list of columns")
        for label in labels:
            if label not in self._frame.columns:
                raise missing_column(label, self._frame.columns, f"`groupby(...)[{labels!r}]`")
        return self._like(DataFrameGroupBy(self._groups, self._frame, self._as_index, labels, selected=True))

    def _like(self, other: Any) -> Any:
        other._group_keys = self._group_keys
        return other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._frame.columns:
            not_shadowed(self._surface, name, f"g[{name!r}]")
            return self[name]
        unknown_attribute(self, self._surface, name, self._frame.columns)


class SeriesGroupBy(SeriesGroupStatistics, GroupBy, SeriesGroupRows):
    """One column's values by key; its aggregates are columns with the key as index.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})
    >>> def process_partition(p):
    ...     return p.groupby("k")["v"].sum()
    >>> task = {"type": "parallel", "input": {"source": data, "operation": process_partition}}
    >>> RLMClient().execute(task).to_dict()
    {'a': 4, 'b': 2}
    """

    __slots__ = ()
    _surface = "SeriesGroupBy"

    @property
    def ndim(self) -> int:
        """Always 1."""
        return 1

    @property
    def _label(self) -> Any:
        return self._frame.columns[0]

    def _named(self, name: str, numeric_only: object = False, **params: Any) -> Any:
        if (
            boolean(self._call(name), "numeric_only", numeric_only)
            and not DType(self._frame.dtypes[0]).is_number
        ):
            refuse(
                f"`{self._call(name)}` with `numeric_only=True` is given a {self._frame.dtypes[0]} column",
                "Leave `numeric_only` out, or convert the column: `.astype('float64')`",
            )
        return self._aggregate([(self._label, [self._frame], name, params)], series=True)

    def _columns(self) -> dict[Any, _core.Frame]:
        return {self._label: self._frame}

    def _item(self, label: Any, given: fn.Function) -> Item | tuple[Any, GroupValue]:
        return item_of(label, self._frame, given, self._call("agg"))

    def agg(
        self,
        func: Any = None,
        *args: object,
        engine: object = None,
        engine_kwargs: object = None,
        **kwargs: Any,
    ) -> Any:
        """One aggregate by name gives a column; a list or keywords (`total="sum"`) give a partition."""
        call = "`SeriesGroupBy.agg`"
        only(self._call("agg"), engine=(engine, None), engine_kwargs=(engine_kwargs, None))
        if func is None:
            if args or not kwargs:
                refuse(f"{call} got no aggregates", "Name them: `.agg('sum')`, `.agg(total='sum')`")
            return self._aggregate(
                [self._item(label, fn.function(given, fn.GROUPED, call)) for label, given in kwargs.items()]
            )
        if isinstance(func, str) and func in fn.GROUPED and hasattr(type(self), func):
            return getattr(self, func)(*args, **kwargs)
        fn.reject_arguments(call, args, kwargs)
        if isinstance(func, dict):
            refuse(
                f'{call} with a dict is an error in pandas too ("nested renamer")',
                "Write `.agg(total='sum')`",
            )
        if fn.is_list(func):
            found = numbered(fn.functions(func, fn.GROUPED, call))
            return self._aggregate([self._item(f.label, f) for f in found])
        return self._aggregate([self._item(self._label, fn.function(func, fn.GROUPED, call))], series=True)

    aggregate = agg

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        unknown_attribute(self, self._surface, name, ())
