"""Partition: the rows of a source, shaped like a pandas DataFrame; what an operation is called with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.aligning import AligningFrame
from rlm_hypervisor.partition.alignment import by_labels
from rlm_hypervisor.partition.arrays import Array, Listing, as_column
from rlm_hypervisor.partition.column import _SORTS, Column, boolean_mask, kept, piped
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.dtypes import DType, DTypes
from rlm_hypervisor.partition.expressions import Expressions
from rlm_hypervisor.partition.frame_pairs import FramePairs
from rlm_hypervisor.partition.frame_replacing import FrameReplacing
from rlm_hypervisor.partition.frame_statistics import FrameStatistics
from rlm_hypervisor.partition.frame_windows import FrameWindows
from rlm_hypervisor.partition.labels import Labels
from rlm_hypervisor.partition.loc import Loc
from rlm_hypervisor.partition.merging import Merging
from rlm_hypervisor.partition.nested import NestedFrame
from rlm_hypervisor.partition.operators import Operators
from rlm_hypervisor.partition.picking import PickingFrame
from rlm_hypervisor.partition.pivoting import Pivoting
from rlm_hypervisor.partition.posing import posing
from rlm_hypervisor.partition.refusal import (
    boolean,
    is_label,
    labels_of,
    missing_column,
    only,
    refuse,
    refuse_value,
    shown,
    whole_number,
)
from rlm_hypervisor.partition.reshaping import Reshaping
from rlm_hypervisor.partition.row_labels import RowLabels
from rlm_hypervisor.partition.rowwise import RowFunctions
from rlm_hypervisor.partition.sampling import Sampling
from rlm_hypervisor.partition.scalar import Scalar, Summary
from rlm_hypervisor.partition.shaping import Shaping, sorted_by_key
from rlm_hypervisor.partition.split import Split
from rlm_hypervisor.partition.stacking import Stacking
from rlm_hypervisor.partition.surface import SURFACES, not_shadowed, unknown_attribute
from rlm_hypervisor.partition.temporal import TemporalFrame

if TYPE_CHECKING:
    from rlm_hypervisor.partition.groupby import DataFrameGroupBy

__all__ = ["Partition"]


class Partition(
    Expressions,
    FramePairs,
    Shaping,
    RowFunctions,
    TemporalFrame,
    FrameReplacing,
    Merging,
    Reshaping,
    NestedFrame,
    Pivoting,
    FrameWindows,
    FrameStatistics,
    Sampling,
    AligningFrame,
    PickingFrame,
    RowLabels,
    Stacking,
):
    """The rows of the input, or rows computed from them.

    An operation is called once with a Partition that knows columns and types, not rows; what it does is
    recorded and run natively over all chunks. It has the methods of `pandas.DataFrame` that are native, with
    the same meaning; any other is refused by name, with the user's line.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"k": ["a", "b", "a"], "v": [1.0, 2.0, 4.0]})
    >>> def large(p):
    ...     p["twice"] = p["v"] * 2
    ...     return p[p["twice"] > 3]
    >>> task = {"type": "parallel", "input": {"source": data, "operation": large}}
    >>> print(RLMClient().execute(task).to_pandas())
       k    v  twice
    1  b  2.0    4.0
    2  a  4.0    8.0
    """

    __slots__ = ("_frame", "_iterated", "_tokens")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, frame: _core.Frame) -> None:
        object.__setattr__(self, "_frame", frame)
        object.__setattr__(self, "_iterated", None)
        # Label -> what says that a Column is this partition's own, as it stands.
        object.__setattr__(self, "_tokens", {})

    __class__ = posing("DataFrame")

    def _column(self, label: Any, call: str) -> Column:
        if label not in self._frame.columns:
            raise missing_column(label, self._frame.columns, call)
        return Column(self._frame.column(label), self._tokens.setdefault(label, object()))

    def _require(self, labels: list[Any], call: str) -> list[Any]:
        for label in labels:
            if label not in self._frame.columns:
                raise missing_column(label, self._frame.columns, call)
        return labels

    # What is known while tracing.
    @property
    def columns(self) -> Labels:
        """The labels of the columns."""
        return Labels(self._frame.columns)

    @columns.setter
    def columns(self, labels: Any) -> None:
        new = labels_of(labels)
        old = self._frame.columns
        if new is None or len(new) != len(old) or len(set(new)) != len(new):
            refuse(
                f"`p.columns = {clipped(labels)}` must be {len(old)} different labels, one for each column",
                "Give a list of different labels, or rename some: `p.rename(columns={'old': 'new'})`",
            )
        self._replace(self._frame.rename(list(zip(old, new, strict=True))))

    @property
    def dtypes(self) -> DTypes:
        """The types of the columns by label."""
        return DTypes({c: DType(d) for c, d in zip(self._frame.columns, self._frame.dtypes, strict=True)})

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    @property
    def shape(self) -> tuple[Scalar, int]:
        """Rows (a scalar that is not known yet) and columns (a number)."""
        return Scalar(self._frame.rows()), len(self._frame.columns)

    @property
    def size(self) -> Scalar:
        """Rows times columns, as a scalar that is not known yet."""
        return Scalar(self._frame.rows()) * len(self._frame.columns)

    def keys(self) -> Labels:
        """The labels of the columns."""
        return self.columns

    def items(self) -> Iterator[tuple[Any, Column]]:
        """Label and column, one after the other."""
        for label in self._frame.columns:
            yield label, self._column(label, "`items`")

    def __iter__(self) -> Iterator[Any]:
        object.__setattr__(self, "_iterated", _instruction())
        return iter(self._frame.columns)

    def __contains__(self, label: object) -> bool:
        return label in self._frame.columns

    # Columns and rows chosen.
    def __getitem__(self, key: Any) -> Any:
        key = as_column(key)
        if callable(key) and not isinstance(key, Column):
            key = key(self)
        if isinstance(key, Column):
            return Partition(self._frame.filter(boolean_mask(key, "DataFrame")))
        if is_label(key):
            below = self._below(key)
            return self._column(key, f"`[{shown(key)}]`") if below is None else below
        labels = labels_of(key)
        if labels is not None:
            if labels and all(isinstance(label, bool) for label in labels):
                refuse(
                    "`p[[True, False, ...]]` selects rows by a list made outside",
                    "Use a condition: `p[p['x'] > 3]`",
                )
            return Partition(self._frame.select(self._require(labels, f"`[{labels!r}]`")))
        if isinstance(key, Partition):
            return self.where(key)
        if isinstance(key, slice):
            if (
                key.start in (None, 0)
                and key.step in (None, 1)
                and isinstance(key.stop, int)
                and key.stop >= 0
            ):
                return self.head(key.stop)
            refuse(
                f"`p[{_slice(key)}]` picks rows by position, which are not known while tracing",
                "The first: `p.head(n)`",
            )
        raise missing_column(key, self._frame.columns, f"`[{clipped(key)}]`")

    def _below(self, key: Any) -> Partition | None:
        """Where labels have levels: the columns whose first one it is, called by the others."""
        labels = self._frame.columns
        found = [label for label in labels if isinstance(label, tuple) and label[0] == key]
        if not found or key in labels or isinstance(key, tuple):
            return None
        below = [label[1] if len(label) == 2 else label[1:] for label in found]
        return Partition(self._frame.select(found).rename(list(zip(found, below, strict=True))))

    def get(self, key: Any, default: Any = None) -> Any:
        """The column or columns, or `default` where there are none such."""
        labels = labels_of(key)
        there = (
            all(label in self for label in labels) if labels is not None else is_label(key) and key in self
        )
        return self[key] if there else default

    @property
    def loc(self) -> Loc:
        """Rows by condition, columns by label: `p.loc[mask]`, `p.loc[mask, "a"]`, `p.loc[:, ["a"]]`."""
        return Loc(self)

    def head(self, n: int = 5) -> Partition:
        """The first `n` rows; without the last `-n` if negative."""
        rows = whole_number("DataFrame.head", "n", n)
        return self.iloc[:rows] if rows < 0 else Partition(self._frame.head(rows))

    # Columns assigned, renamed, dropped.
    def _replace(self, frame: _core.Frame, *changed: Any) -> None:
        object.__setattr__(self, "_frame", frame)
        if changed:
            for label in changed:
                self._tokens.pop(label, None)
        else:
            self._tokens.clear()

    def _assigned(self, label: Any, value: Any, call: str) -> _core.Frame:
        if isinstance(value, Operators):
            found = value._frame
            if found.kind == "series" and not self._frame.same_rows(found):
                # As pandas does: the value that it has for the label of each row.
                found = by_labels(self._frame, found, call)
            return self._frame.assign(label, found)
        if isinstance(value, Array | Listing):
            if not self._frame.same_rows(value._frame):
                refuse(
                    f"{call} of the values of other rows puts them in by position, which is not native",
                    "Assign the column itself, or bring the rows together by a key: `p.merge(q, on='key')`",
                )
            return self._frame.assign(label, value._frame)
        if isinstance(value, Partition | Summary):
            refuse(f"{call} assigns {value!r} to one column", "Pick a column or a scalar of it")
        return self._frame.assign(label, constant(value, call))

    def __setitem__(self, key: Any, value: Any) -> None:
        if is_label(key):
            self._replace(self._assigned(key, value, f"`p[{shown(key)}] = ...`"), key)
            return
        labels = labels_of(key)
        if labels is None or isinstance(value, Column):
            refuse(
                f"`p[{clipped(key)}] = ...` is not native in this version",
                "Assign one column at a time: `p['x'] = ...`",
            )
        if isinstance(value, Partition):
            if len(value._frame.columns) != len(labels):
                refuse(
                    f"`p[{labels!r}] = ...` assigns {len(value._frame.columns)} columns to these",
                    "Give as many columns as labels",
                )
            parts: list[Any] = [column for _, column in value.items()]
        elif isinstance(value, Split):
            parts = list(value.columns_for(len(labels)))
        else:
            parts = [value] * len(labels)
        for label, part in zip(labels, parts, strict=True):
            self[label] = part

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "columns":
            object.__setattr__(self, name, value)
        elif name == "index":
            refuse(
                "`p.index = ...` is not native in this version", "Make a column the index: `p.set_index('x')`"
            )
        elif name in SURFACES["DataFrame"]:
            refuse(
                f"`p.{name} = ...` sets an attribute in pandas, and no column",
                f"Write `p[{name!r}] = ...` for a column",
            )
        elif name in self._frame.columns:
            self[name] = value
        else:
            refuse(f"`p.{name} = ...` sets no column, in pandas neither", f"Write `p[{name!r}] = ...`")

    def __delitem__(self, key: Any) -> None:
        self._replace(self._frame.drop(self._require([key], f"`del p[{shown(key)}]`")), key)

    def assign(self, **kwargs: Any) -> Partition:
        """With further or replaced columns: columns, scalars, constants, or functions of the partition."""
        result = self.copy()
        for label, value in kwargs.items():
            result[label] = (
                value(result) if callable(value) and not isinstance(value, Column | Scalar) else value
            )
        return result

    def copy(self, deep: bool = True) -> Partition:
        """An independent partition."""
        return Partition(self._frame)

    def __copy__(self) -> Partition:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Partition:
        return self.copy()

    def pipe(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """`func(self, *args, **kwargs)`."""
        return piped(self, func, args, kwargs)

    # Order and choice of rows.
    def sort_values(
        self,
        by: Any,
        *,
        axis: object = 0,
        ascending: Any = True,
        inplace: bool = False,
        kind: str = "quicksort",
        na_position: str = "last",
        ignore_index: bool = False,
        key: Any = None,
    ) -> Partition:
        """Sorted by columns, or what `key` makes of each; equal rows keep their order, whatever `kind` says."""
        call = "DataFrame.sort_values"
        only(call, axis=(axis, 0, "index"), inplace=(inplace, False), kind=(kind, *_SORTS))
        only(call, na_position=(na_position, "last", "first"))
        labels = [by] if is_label(by) else labels_of(by)
        if not labels:
            refuse(
                f"`{call}` takes labels of columns, not `{clipped(by)}`",
                "Name a column, or a list of them: `p.sort_values('x')`",
                call=call,
            )
        for label in labels:
            if label not in (self._frame.index_names or ()):
                self._require([label], f"`{call}`")
        flags = list(ascending) if isinstance(ascending, list | tuple) else [ascending] * len(labels)
        if len(flags) != len(labels):
            refuse(
                f"`{call}` got {len(flags)} directions for {len(labels)} columns",
                "Give True or False once, or once for each column",
                call=call,
            )
        ways = [boolean(call, "ascending", flag) for flag in flags]
        frame = sorted_by_key(self._frame, labels, ways, na_position == "first", key, call)
        return Partition(frame.reset_index(True) if boolean(call, "ignore_index", ignore_index) else frame)

    def _top(self, call: str, n: int, columns: Any, keep: str, largest: bool) -> Partition:
        only(call, keep=(keep, "first"))
        labels = [columns] if is_label(columns) else labels_of(columns)
        if not labels:
            refuse(
                f"`{call}` takes labels of columns, not `{clipped(columns)}`",
                "Name a column, or a list of them: `p.nlargest(3, 'x')`",
                call=call,
            )
        return Partition(
            self._frame.top(max(whole_number(call, "n", n), 0), self._require(labels, f"`{call}`"), largest)
        )

    def nlargest(self, n: int, columns: Any, keep: str = "first") -> Partition:
        """The `n` rows with the largest values in `columns`, largest first; of equal ones the first."""
        return self._top("DataFrame.nlargest", n, columns, keep, True)

    def nsmallest(self, n: int, columns: Any, keep: str = "first") -> Partition:
        """The `n` rows with the smallest values in `columns`, smallest first; of equal ones the first."""
        return self._top("DataFrame.nsmallest", n, columns, keep, False)

    def drop_duplicates(
        self,
        subset: Any = None,
        *,
        keep: Literal["first", "last", False] = "first",
        inplace: bool = False,
        ignore_index: bool = False,
    ) -> Partition:
        """One row of those that agree in `subset` (default: all columns): first, last, or (False) none."""
        call = "DataFrame.drop_duplicates"
        only(call, inplace=(inplace, False))
        labels = None if subset is None else [subset] if is_label(subset) else labels_of(subset)
        if labels is not None:
            self._require(labels, f"`{call}`")
        elif subset is not None:
            refuse(
                f"`{call}` takes labels of columns, not `{clipped(subset)}`",
                "Name a column, or a list of them: `subset=['x']`",
                call=call,
            )
        frame = self._frame.distinct(labels, kept(call, keep))
        return Partition(frame.reset_index(True) if boolean(call, "ignore_index", ignore_index) else frame)

    # Groups.
    def groupby(
        self,
        by: Any = None,
        level: object = None,
        *,
        as_index: bool = True,
        sort: bool = True,
        group_keys: bool = True,
        observed: bool = True,
        dropna: bool = True,
    ) -> DataFrameGroupBy:
        """The rows by key: labels of columns, columns computed from this partition, or a list of both; or by `level`."""
        from rlm_hypervisor.partition.groupby import DataFrameGroupBy
        from rlm_hypervisor.partition.grouping import grouping

        only("DataFrame.groupby", group_keys=(group_keys, True, False))
        items = by if isinstance(by, list) else [by]
        own: set[Any] = set()
        for item in items:
            if isinstance(item, Column):
                if item._token is not None and self._tokens.get(item.name) is item._token:
                    own.add(item.name)
            elif is_label(item):
                own.add(item)
            elif type(item).__module__.partition(".")[0] == "pandas" and is_label(getattr(item, "key", None)):
                own.add(item.key)
        groups = grouping("DataFrame.groupby", self._frame, by, level, as_index, sort, observed, dropna)
        rest = [label for label in self._frame.columns if label not in own]
        grouped = DataFrameGroupBy(groups, self._frame, bool(as_index), rest)
        grouped._group_keys = bool(group_keys)
        return grouped

    # The end of the trace.
    def __len__(self) -> NoReturn:
        if self._iterated == _instruction():
            # `list(p)` asks how long it is after it has begun to iterate, and does without.
            raise TypeError("not known")
        refuse_value("`len()` of a partition", "Use `p.shape[0]`, a scalar, in expressions, or return it")

    def __bool__(self) -> NoReturn:
        refuse_value("the truth of a partition", "Return `p.shape[0]`, and look at the answer")

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        refuse_value("turning a partition into a NumPy array", "Return it, and convert the answer")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._frame.columns:
            not_shadowed("DataFrame", name, f"p[{name!r}]")
            return self._column(name, f"`.{name}`")
        unknown_attribute(self, "DataFrame", name, self._frame.columns)

    def __repr__(self) -> str:
        fields = ", ".join(f"{c}: {d}" for c, d in zip(self._frame.columns, self._frame.dtypes, strict=True))
        return f"<partition ({fields}), its rows not known while tracing>"


def _instruction() -> tuple[int, int]:
    """Where the caller of a method is: its frame and instruction."""
    frame = sys._getframe(2)
    return id(frame), frame.f_lasti


def _slice(key: slice) -> str:
    """A slice as it was written."""
    parts = ["" if part is None else repr(part) for part in (key.start, key.stop, key.step)]
    return ":".join(parts[:2] if not parts[2] else parts)
