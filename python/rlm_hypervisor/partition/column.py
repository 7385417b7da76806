"""Column: a column of the partition, shaped like a pandas Series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.aligning import AligningColumn
from rlm_hypervisor.partition.alignment import by_labels
from rlm_hypervisor.partition.arrays import Takeable, as_column
from rlm_hypervisor.partition.column_pairs import ColumnPairs
from rlm_hypervisor.partition.constant import constants
from rlm_hypervisor.partition.dropping import Dropping
from rlm_hypervisor.partition.dtypes import DType, target
from rlm_hypervisor.partition.factorizing import Factorizing
from rlm_hypervisor.partition.levels import Levelled
from rlm_hypervisor.partition.mapping import Mapping
from rlm_hypervisor.partition.nested import Nested
from rlm_hypervisor.partition.operators import COMPARISONS, apply
from rlm_hypervisor.partition.picking import Picking, at_label, at_labels, is_row_label, is_row_labels
from rlm_hypervisor.partition.posing import posing
from rlm_hypervisor.partition.refusal import (
    boolean,
    is_label,
    only,
    refuse,
    refuse_value,
    whole_number,
)
from rlm_hypervisor.partition.replacing import Replacing, filled_binary, set_rows
from rlm_hypervisor.partition.row_labels import RowLabels
from rlm_hypervisor.partition.sampling import Sampling
from rlm_hypervisor.partition.scalar import Scalar
from rlm_hypervisor.partition.spans import several
from rlm_hypervisor.partition.statistics import Statistics
from rlm_hypervisor.partition.strings import HasText
from rlm_hypervisor.partition.surface import unknown_attribute
from rlm_hypervisor.partition.temporal import Temporal
from rlm_hypervisor.partition.unstacking import Unstacking
from rlm_hypervisor.partition.windows import Windows

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition
    from rlm_hypervisor.partition.groupby import SeriesGroupBy

__all__ = ["Column"]

_SORTS = ("quicksort", "mergesort", "heapsort", "stable")


def reflection(op: str, reflected: bool, name: str) -> Callable[..., Any]:
    """The method form of an operator: `add`, `radd`, `eq`, ..."""

    def method(
        self: Column, other: object, level: object = None, fill_value: object = None, axis: object = 0
    ) -> Column:
        only(f"Series.{name}", level=(level, None), axis=(axis, 0, "index"))
        if fill_value is not None:
            return filled_binary(op, self, other, fill_value, reflected)  # type: ignore[no-any-return]
        return self._binary(op, other, reflected)  # type: ignore[no-any-return]

    method.__name__ = name
    method.__qualname__ = f"Column.{name}"
    method.__doc__ = (
        f"The method form of an operator, which fills missing values; see `pandas.Series.{name}`."
    )
    return method


class Column(
    HasText,
    Takeable,
    Dropping,
    ColumnPairs,
    Nested,
    Temporal,
    Levelled,
    Mapping,
    Replacing,
    Unstacking,
    Windows,
    Statistics,
    Sampling,
    Picking,
    Factorizing,
    RowLabels,
    AligningColumn,
):
    """A column of the input or computed from it; rows stay unknown while the operation is traced.

    It has the methods of `pandas.Series` that are native; any other is refused by name.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"price": [2.0, 3.0], "quantity": [10, 20]})
    >>> def revenue(p):
    ...     return (p["price"] * p["quantity"]).sum()
    >>> RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": revenue}})
    80.0
    """

    __slots__ = ("_token",)
    _kind = "column"

    def __init__(self, frame: _core.Frame, token: object = None) -> None:
        super().__init__(frame)
        # Says that this is a column as it stands in a partition, for `groupby(p["key"])`.
        self._token = token

    # What is known while tracing.
    @property
    def name(self) -> Any:
        """The label, or None."""
        return self._frame.columns[0]

    @name.setter
    def name(self, label: Any) -> None:
        self._frame = self._frame.with_name(label)

    @property
    def dtype(self) -> DType:
        """The type; compares with names: `p["x"].dtype == "float64"`."""
        return DType(self._frame.dtypes[0])

    dtypes = dtype

    @property
    def ndim(self) -> int:
        """Always 1."""
        return 1

    @property
    def shape(self) -> tuple[Scalar]:
        """The number of rows, as a scalar that is not known yet."""
        return (self.size,)

    # Row by row.
    def abs(self) -> Column:
        """Absolute values."""
        return self.__abs__()

    def round(self, decimals: int = 0, *args: object, **kwargs: object) -> Column:
        """Rounded half to even, to `decimals` places."""
        fn.reject_arguments("`Series.round`", args, kwargs)
        return self.__round__(whole_number("Series.round", "decimals", decimals))

    def isna(self) -> Column:
        """True where a value is missing (None, NaN, NaT)."""
        return apply("isna", self)  # type: ignore[no-any-return]

    isnull = isna

    def notna(self) -> Column:
        """True where a value is not missing."""
        return apply("notna", self)  # type: ignore[no-any-return]

    notnull = notna

    def fillna(
        self, value: object, *, axis: object = None, inplace: bool = False, limit: object = None
    ) -> Column:
        """With `value`, a constant, a scalar or a column of the same rows, where values are missing."""
        only("Series.fillna", axis=(axis, None, 0, "index"), inplace=(inplace, False), limit=(limit, None))
        if isinstance(value, dict):
            refuse("`Series.fillna` with a dict fills by row label, which is not native", "Give one value")
        if value is None:
            refuse("`Series.fillna` must be given a value to fill with", "Give a value")
        if isinstance(value, Column):
            value = Column(by_labels(self._frame, value._frame, "`Series.fillna`"))
        return apply("fillna", self, value)  # type: ignore[no-any-return]

    def isin(self, values: object) -> Column:
        """True where the value is one of `values`: a list of constants, or another column or series."""
        from rlm_hypervisor.partition.tables import series

        other = series(values, "`Series.isin`")
        if other is not None:
            return Column(self._frame.lookup(other._frame, True))
        found = constants(values, "`Series.isin`")
        from rlm_hypervisor.partition.operators import wrap

        return wrap(_core.Frame.call("isin", [self._frame, found]))  # type: ignore[return-value]

    def between(
        self, left: object, right: object, inclusive: Literal["both", "neither", "left", "right"] = "both"
    ) -> Column:
        """True where `left <= value <= right`; `inclusive` says which of the bounds count."""
        if inclusive not in ("both", "neither", "left", "right"):
            refuse(
                f"`Series.between` takes 'both', 'neither', 'left' or 'right', not {inclusive!r}",
                "Give one of these words; 'both' is the default",
            )
        return apply("between", self, left, right, inclusive)  # type: ignore[no-any-return]

    def astype(self, dtype: object, copy: object = None, errors: str = "raise") -> Column:
        """As another type: a name (`"float64"`), a Python type or a NumPy dtype."""
        only("Series.astype", errors=(errors, "raise"), copy=(copy, None, True, False))
        return apply("astype", self, target(dtype, "`Series.astype`"))  # type: ignore[no-any-return]

    def divmod(
        self, other: object, level: object = None, fill_value: object = None, axis: object = 0
    ) -> tuple[Any, Any]:
        """Floor quotient and remainder."""
        only("Series.divmod", level=(level, None), fill_value=(fill_value, None), axis=(axis, 0, "index"))
        return self // other, self % other

    def rdivmod(
        self, other: object, level: object = None, fill_value: object = None, axis: object = 0
    ) -> tuple[Any, Any]:
        """Floor quotient and remainder of `other` by this."""
        only("Series.rdivmod", level=(level, None), fill_value=(fill_value, None), axis=(axis, 0, "index"))
        return self._binary("floordiv", other, True), self._binary("mod", other, True)

    # Rows chosen and ordered.
    def __getitem__(self, key: object) -> Any:
        if callable(key):
            key = key(self)
        key = as_column(key)
        if isinstance(key, Column):
            return Column(self._frame.filter(boolean_mask(key, "Series")))
        if isinstance(key, slice) and all(end is None or type(end) is int for end in (key.start, key.stop)):
            return self.iloc[key]
        if is_row_label(key):
            found = several(self._frame, key, "Series") if isinstance(key, str) else None
            return at_label(self, key, "Series") if found is None else Column(found)
        refuse(
            f"`Series[{clipped(key)}]` picks several rows by label or position, which are not known while tracing",
            "Select rows with a condition: `s[s > 3]`, `s[s.index.isin([...])]`; in order of labels: `s.reindex([...])`",
        )

    def __setitem__(self, key: Any, value: Any) -> None:
        if callable(key) and not isinstance(key, Column):
            key = key(self)
        if not isinstance(key, Column):
            refuse(
                "assigning into a column's rows takes a condition: rows are not known by label or position",
                "Write `s[s > 3] = 0`",
            )
        self._frame = self._named(set_rows(self, self.name, key, value))._frame
        self._token = None

    @property
    def loc(self) -> ColumnLoc:
        """Rows by condition: `s.loc[s > 3]`."""
        return ColumnLoc(self)

    def head(self, n: int = 5) -> Column:
        """The first `n` rows; without the last `-n` if negative."""
        rows = whole_number("Series.head", "n", n)
        return self.iloc[:rows] if rows < 0 else Column(self._frame.head(rows))

    def sort_values(
        self,
        *,
        axis: object = 0,
        ascending: object = True,
        inplace: bool = False,
        kind: str = "quicksort",
        na_position: str = "last",
        ignore_index: bool = False,
        key: Any = None,
    ) -> Column:
        """Sorted by value, or what `key` makes of them; equal values keep their order, whatever `kind` says."""
        call = "Series.sort_values"
        only(call, axis=(axis, 0, "index"), inplace=(inplace, False), kind=(kind, *_SORTS))
        only(call, na_position=(na_position, "last", "first"))
        if isinstance(ascending, list | tuple) and len(ascending) == 1:
            ascending = ascending[0]
        ways = [boolean(call, "ascending", ascending)]
        if key is None:
            frame = self._frame.sort([], ways, na_position == "first")
        else:
            from rlm_hypervisor.partition.shaping import sorted_by_key

            whole = self._frame.to_frame("value")
            frame = sorted_by_key(whole, ["value"], ways, na_position == "first", key, call)
            frame = frame.column("value").with_name(self.name)
        return Column(frame.reset_index(True) if boolean(call, "ignore_index", ignore_index) else frame)

    def nlargest(self, n: int = 5, keep: str = "first") -> Column:
        """The `n` largest values, largest first; of equal ones the first."""
        only("Series.nlargest", keep=(keep, "first"))
        return Column(self._frame.top(max(whole_number("Series.nlargest", "n", n), 0), [], True))

    def nsmallest(self, n: int = 5, keep: str = "first") -> Column:
        """The `n` smallest values, smallest first; of equal ones the first."""
        only("Series.nsmallest", keep=(keep, "first"))
        return Column(self._frame.top(max(whole_number("Series.nsmallest", "n", n), 0), [], False))

    def drop_duplicates(
        self,
        *,
        keep: Literal["first", "last", False] = "first",
        inplace: bool = False,
        ignore_index: bool = False,
    ) -> Column:
        """Each value once: its first row, its last, or (False) only values that stand alone."""
        only("Series.drop_duplicates", inplace=(inplace, False))
        frame = self._frame.distinct(None, kept("Series.drop_duplicates", keep))
        ignore = boolean("Series.drop_duplicates", "ignore_index", ignore_index)
        return Column(frame.reset_index(True) if ignore else frame)

    # Shape and names.
    def rename(
        self,
        index: Any = None,
        *,
        axis: object = None,
        copy: object = None,
        inplace: bool = False,
        level: object = None,
        errors: str = "ignore",
    ) -> Column:
        """Under another name (a string, a number, a tuple, or None)."""
        only("Series.rename", axis=(axis, None, 0, "index"), inplace=(inplace, False), level=(level, None))
        only("Series.rename", errors=(errors, "ignore"), copy=(copy, None, True, False))
        if index is not None and not is_label(index):
            refuse(
                "`Series.rename` with a dict or function renames rows, which is not native", "Give a new name"
            )
        return Column(self._frame.with_name(index))

    def to_frame(self, name: Any = ...) -> Partition:
        """As a partition of one column, called `name` (default: its own, else 0)."""
        from rlm_hypervisor.partition.frame import Partition

        own = 0 if self.name is None else self.name
        return Partition(self._frame.to_frame(own if name is ... else name))

    def copy(self, deep: bool = True) -> Column:
        """An independent column (they all are)."""
        return Column(self._frame, self._token)

    def pipe(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """`func(self, *args, **kwargs)`."""
        return piped(self, func, args, kwargs)

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
    ) -> SeriesGroupBy:
        """Grouped by columns of the same rows, or by levels of the index."""
        from rlm_hypervisor.partition.groupby import SeriesGroupBy
        from rlm_hypervisor.partition.grouping import grouping

        only(
            "Series.groupby",
            as_index=(as_index, True),
            group_keys=(group_keys, True, False),
        )
        groups = grouping("Series.groupby", self._frame, by, level, True, sort, observed, dropna)
        grouped = SeriesGroupBy(groups, self._frame, True)
        grouped._group_keys = bool(group_keys)
        return grouped

    # The end of the trace.
    __class__ = posing("Series")

    def __copy__(self) -> Column:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Column:
        return self.copy()

    def __len__(self) -> NoReturn:
        refuse_value("`len()` of a column", "Use `p.shape[0]`, a scalar, in expressions")

    def __iter__(self) -> Iterator[Any]:
        refuse_value("iteration over a column's values", "Write it with column arithmetic and aggregates")

    def __contains__(self, value: object) -> bool:
        refuse_value("`in` of a column", "Write `(p['x'] == value).sum() > 0`, which is a scalar")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        unknown_attribute(self, "Series", name, ())

    def __repr__(self) -> str:
        return f"<column {self.name!r} of type {self._frame.dtypes[0]}, its rows not known while tracing>"

    if TYPE_CHECKING:
        add: Callable[..., Column]
        sub: Callable[..., Column]
        mul: Callable[..., Column]
        div: Callable[..., Column]
        truediv: Callable[..., Column]
        floordiv: Callable[..., Column]
        mod: Callable[..., Column]
        pow: Callable[..., Column]
        radd: Callable[..., Column]
        rsub: Callable[..., Column]
        rmul: Callable[..., Column]
        rdiv: Callable[..., Column]
        rtruediv: Callable[..., Column]
        rfloordiv: Callable[..., Column]
        rmod: Callable[..., Column]
        rpow: Callable[..., Column]
        subtract: Callable[..., Column]
        multiply: Callable[..., Column]
        divide: Callable[..., Column]
        eq: Callable[..., Column]
        ne: Callable[..., Column]
        lt: Callable[..., Column]
        le: Callable[..., Column]
        gt: Callable[..., Column]
        ge: Callable[..., Column]


METHODS: dict[str, tuple[str, bool]] = {
    **{op: (op, False) for op in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")},
    **{f"r{op}": (op, True) for op in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")},
    **{op: (op, False) for op in COMPARISONS},
    "div": ("truediv", False),
    "rdiv": ("truediv", True),
    "divide": ("truediv", False),
    "subtract": ("sub", False),
    "multiply": ("mul", False),
}
"""Method forms of the operators: name -> (operator of the core, whether the arguments swap)."""

for _name, (_op, _reflected) in METHODS.items():
    setattr(Column, _name, reflection(_op, _reflected, _name))


class ColumnLoc:
    """`column.loc[...]`."""

    __slots__ = ("_column",)

    def __init__(self, column: Column) -> None:
        self._column = column

    def __getitem__(self, key: object) -> Any:
        key = as_column(key)
        if isinstance(key, slice) and key == slice(None):
            return self._column.copy()
        if is_row_labels(key):
            return Column(at_labels(self._column._frame, key, "Series.loc"))
        found = several(self._column._frame, key, "Series.loc")
        if found is not None:
            return Column(found)
        return self._column[key]

    def __setitem__(self, key: object, value: object) -> None:
        self._column[key] = value


def boolean_mask(mask: Column, surface: str) -> _core.Frame:
    """A column as the condition of a selection."""
    if mask.dtype != "bool":
        refuse(
            f"`{surface}[...]` is given {mask!r}, and a condition must be of booleans",
            "Compare: `p[p['x'] > 3]`; columns are selected by label",
        )
    return mask._frame


def kept(call: str, keep: object) -> Literal["first", "last", "none"]:
    """`keep` as the core calls it."""
    if keep is False:
        return "none"
    if keep == "first":
        return "first"
    if keep == "last":
        return "last"
    refuse(
        f"`{call}` takes 'first', 'last' or False for `keep`, not {clipped(keep)}",
        "Give one of these; 'first' is the default",
    )


def piped(owner: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`pipe` of pandas: a function, or `(function, keyword for the data)`."""
    if isinstance(func, tuple):
        func, keyword = func
        return func(*args, **{**kwargs, keyword: owner})
    return func(owner, *args, **kwargs)
