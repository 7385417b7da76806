"""Wide: a table whose columns are values found while it runs, such as `p.pivot_table(...)` gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number
from rlm_hypervisor.partition.surface import SURFACES, UnknownAttribute

__all__ = ["Wide", "hidden"]

PART = ("rlm", "part")
"""The column that says which margin a long row is of."""

_WHY = "its columns are values, which are not known while an operation is traced"
_ADVICE = "Return it and go on with the answer, `result.to_pandas()`, or keep the rows long: `groupby([...])`"


def hidden(kind: str, number: int) -> Any:
    """The label of a column of a long table."""
    return ("rlm", kind, number)


class Wide:
    """A table whose columns are values of a column: the last step of an operation.

    What treats all cells alike can follow (`fillna`, `round`, `astype`), and what is about the index
    (`reset_index`, `rename_axis`); whatever needs a column by name is refused.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"k": ["a", "b", "a"], "g": [1, 2, 2], "v": [1.0, 2.0, 3.0]})
    >>> def by_key(p):
    ...     return p.pivot_table(index="k", columns="g", values="v", aggfunc="sum", fill_value=0)
    >>> answer = RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": by_key}})
    >>> answer.to_pandas().to_dict()
    {1: {'a': 1.0, 'b': 0.0}, 2: {'a': 3.0, 'b': 2.0}}
    """

    __slots__ = ("_across", "_filling", "_long", "_options", "_rows", "_value_names", "_values")
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        long: _core.Frame,
        rows: Sequence[Any],
        across: Sequence[Any],
        values: Sequence[Sequence[Any]],
        value_names: Sequence[Any],
        filling: Any = None,
        **options: Any,
    ) -> None:
        """`long` has the columns `hidden("row", 0)`, ..., `hidden("column", 0)`, ..., `hidden("value", 0)`, ..."""
        self._long = long
        self._rows = list(rows)
        self._across = list(across)
        self._values = [list(labels) for labels in values]
        self._value_names = list(value_names)
        self._filling = filling
        self._options: dict[str, Any] = {
            "margin": None,
            "parts": False,
            "sorted": True,
            "sorted_columns": False,
            "sorted_tuples": True,
            "missing": "first",
            "tables": [],
            "drop_empty": False,
            "fill": "nothing",
            "normalize": None,
            "round": None,
            "index": "index",
        } | options

    def core(self) -> _core.Frame:
        """The core's form of it."""
        frame = self._long
        labels = [hidden("row", number) for number in range(len(self._rows))]
        labels += [hidden("column", number) for number in range(len(self._across))]
        if self._options["parts"]:
            labels.append(PART)
        labels += [hidden("value", number) for number in range(len(self._values))]
        if self._options["fill"] != "nothing":
            for number in range(len(self._values)):
                value, filling = hidden("value", number), hidden("fill", number)
                column = Column(frame.column(value))
                dtype = column.fillna(self._filling).dtype.name
                frame = frame.assign(value, _cast(column, dtype)._frame).assign(filling, self._filling)
                frame = frame.assign(filling, _cast(Column(frame.column(filling)), dtype)._frame)
                labels.append(filling)
        return frame.select(labels).wide(
            self._rows, self._across, self._values, self._value_names, self._options
        )

    def _with(self, **options: Any) -> Wide:
        made = Wide(self._long, self._rows, self._across, self._values, self._value_names, self._filling)
        made._options = self._options | options
        return made

    def _each(self, function: Any) -> Wide:
        """With every value changed alike."""
        made = self._with()
        for number in range(len(self._values)):
            label = hidden("value", number)
            changed = function(Column(made._long.column(label)))
            made._long = made._long.assign(label, changed._frame)
        return made

    def fillna(
        self,
        value: Any = None,
        *,
        axis: object = None,
        inplace: bool = False,
        limit: object = None,
    ) -> Wide:
        """Every missing cell filled with one constant."""
        call = "DataFrame.fillna"
        only(call, axis=(axis, None), inplace=(inplace, False), limit=(limit, None))
        if self._options["normalize"] is not None:
            return self
        if value is None or isinstance(value, dict) or getattr(value, "_is_symbolic", False):
            refuse(
                f"`{call}` of a wide table takes one constant, not `{clipped(value)}`",
                "Give a constant: `.fillna(0)`",
                call=call,
            )
        if self._options["fill"] != "nothing" and self._filling != value:
            refuse(
                f"`{call}` of a wide table that was filled with `{clipped(self._filling)}` already",
                "Fill once",
                call=call,
            )
        made = self._with(fill="all")
        made._filling = value
        return made

    def round(self, decimals: int = 0) -> Wide:
        """Every value rounded half to even."""
        places = whole_number("DataFrame.round", "decimals", decimals)
        if self._options["normalize"] is not None:
            return self._with(round=places)
        made = self._each(lambda column: column.round(places) if column.dtype.is_number else column)
        if isinstance(self._filling, float):
            made._filling = round(self._filling, places)
        return made

    def astype(self, dtype: Any, copy: object = None, errors: str = "raise") -> Wide:
        """Every value converted; whole numbers need that missing cells are filled first."""
        call = "DataFrame.astype"
        only(call, errors=(errors, "raise"), copy=(copy, None, True, False))
        if isinstance(dtype, dict) or self._options["normalize"] is not None:
            refuse(f"`{call}` of a wide table is for all columns alike", _ADVICE, call=call)
        if self._options["fill"] == "nothing":
            refuse(
                f"`{call}` of a wide table that may have missing cells",
                "Fill them first: `.fillna(0)`",
                call=call,
            )
        filled = self._each(lambda column: column.fillna(self._filling).astype(dtype))
        return filled

    def reset_index(
        self,
        level: object = None,
        *,
        drop: bool = False,
        inplace: bool = False,
        col_level: object = 0,
        col_fill: object = "",
        allow_duplicates: object = None,
        names: object = None,
    ) -> Wide:
        """The index as leading columns, or nowhere."""
        call = "DataFrame.reset_index"
        only(call, level=(level, None), inplace=(inplace, False), col_level=(col_level, 0))
        only(
            call,
            col_fill=(col_fill, ""),
            allow_duplicates=(allow_duplicates, None, False),
            names=(names, None),
        )
        if self._options["index"] != "index":
            refuse(f"`{call}` of a wide table without an index", _ADVICE, call=call)
        return self._with(index="dropped" if boolean(call, "drop", drop) else "columns")

    def rename_axis(
        self,
        mapper: Any = ...,
        *,
        index: Any = ...,
        columns: Any = ...,
        axis: Any = 0,
        copy: object = None,
        inplace: bool = False,
    ) -> Wide:
        """Other names for the index, or for the levels of the columns; `rename_axis(columns=None)` takes them away."""
        call = "DataFrame.rename_axis"
        only(call, inplace=(inplace, False), copy=(copy, None, True, False))
        if mapper is not ...:
            if axis in (1, "columns"):
                columns = mapper
            else:
                index = mapper
        made = self._with()
        if index is not ...:
            made._rows = _names(index, self._rows, call)
        if columns is not ...:
            names = _names(columns, [*self._value_names, *self._across], call)
            made._value_names, made._across = names[: len(self._value_names)], names[len(self._value_names) :]
        return made

    def copy(self, deep: bool = True) -> Wide:
        """The same again."""
        return self._with()

    def __getitem__(self, key: object) -> NoReturn:
        refuse(f"`[{clipped(key)}]` of a wide table: {_WHY}", _ADVICE, call="DataFrame.__getitem__")

    def __setitem__(self, key: object, value: object) -> NoReturn:
        refuse(f"`[{clipped(key)}] = ...` of a wide table: {_WHY}", _ADVICE, call="DataFrame.__setitem__")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in SURFACES["DataFrame"]:
            refuse(
                f"`DataFrame.{name}` of a wide table is not native: {_WHY}", _ADVICE, call=f"DataFrame.{name}"
            )
        what = f"a wide table has no method {name!r}, and a column of that name is not known: {_WHY}"
        raise UnknownAttribute(what, name=name, obj=self)

    def __bool__(self) -> NoReturn:
        refuse("the truth of a wide table", "Return it, and look at the answer")

    def __len__(self) -> NoReturn:
        refuse("`len()` of a wide table", "Return it, and look at the answer")

    def __iter__(self) -> NoReturn:
        refuse(f"iteration over the columns of a wide table: {_WHY}", _ADVICE)

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        refuse("turning a wide table into a NumPy array", "Return it, and convert the answer")

    def __repr__(self) -> str:
        return f"<wide table by {self._rows!r} and {self._across!r}, not known while tracing>"


def _cast(column: Column, dtype: str) -> Column:
    return column if DType(column._frame.dtypes[0]).name == dtype else apply("astype", column, dtype)


def _names(given: Any, old: list[Any], call: str) -> list[Any]:
    if callable(given):
        return [given(name) for name in old]
    if isinstance(given, dict):
        return [given.get(name, name) for name in old]
    names = list(given) if isinstance(given, list | tuple) else [given]
    if len(old) > 1 and not isinstance(given, list | tuple):
        refuse(
            f"`{call}` of columns with {len(old)} levels takes a list of names, not `{clipped(given)}`",
            "Give a list with one name for each level",
            call=call,
        )
    if len(names) != len(old):
        refuse(
            f"`{call}` was given {len(names)} name(s) for {len(old)} level(s)",
            "Give one name for each level",
            call=call,
        )
    return names
