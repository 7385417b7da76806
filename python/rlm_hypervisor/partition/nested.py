"""Columns of lists and structs: `explode`, and the accessors `list`, `struct` and, for lists, `str`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor._text import clipped
from rlm_hypervisor.errors import SchemaMismatchError
from rlm_hypervisor.partition.dtypes import DType, DTypes
from rlm_hypervisor.partition.operators import Operators, apply
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, refuse, whole_number
from rlm_hypervisor.partition.surface import unknown_attribute
from rlm_hypervisor.partition.text_arguments import frame_of, place, text

if TYPE_CHECKING:
    from rlm_hypervisor import _core
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.frame import Partition

__all__ = ["ListAccessor", "ListStrings", "Nested", "NestedFrame", "StructAccessor"]


class ListAccessor:
    """What `column.list` offers: pandas' methods of columns of lists. A missing list stays missing."""

    __slots__ = ("_column",)
    __hash__ = None  # type: ignore[assignment]
    _is_symbolic = True

    def __init__(self, column: Column) -> None:
        self._column = column

    def len(self) -> Column:
        """How many values each list has, as int32."""
        return apply("list_value_length", self._column, call="`list.len`")  # type: ignore[no-any-return]

    def flatten(self) -> Column:
        """All values of all lists, each under the label of its row; lists that are empty or missing have none."""
        from rlm_hypervisor.partition.column import Column

        return Column(self._column._frame.explode([self._column.name], False))

    def __getitem__(self, key: int | slice) -> Column:
        """One value of each list (a list without it fails the task), or some: negative bounds are refused."""
        call = "Series.list"
        if not isinstance(key, slice):
            number = whole_number(call, "key", key)
            return apply("list_get", self._column, number, True, call=f"`list[{number}]`")  # type: ignore[no-any-return]
        bounds = [place(call, name, getattr(key, name)) for name in ("start", "stop", "step")]
        if any(bound is not None and bound < 0 for bound in bounds) or bounds[2] == 0:
            refuse(
                "`.list[...]` with negative bounds, or a step that is not positive, is an error in pandas too",
                "`.str[...]` slices as Python does",
            )
        return apply("list_slice", self._column, *bounds, call="`list[...]`")  # type: ignore[no-any-return]

    def __iter__(self) -> NoReturn:
        refuse(
            "iteration over `column.list` is not possible, in pandas neither",
            "Spread the lists into rows: `p.explode('x')`",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        unknown_attribute(self, "ListAccessor", name, ())

    def __repr__(self) -> str:
        return f"<list methods of {self._column!r}>"


class StructAccessor:
    """What `column.struct` offers: the fields of a column of structs. Those of a missing struct are missing."""

    __slots__ = ("_column",)
    __hash__ = None  # type: ignore[assignment]
    _is_symbolic = True

    def __init__(self, column: Column) -> None:
        self._column = column

    @property
    def dtypes(self) -> DTypes:
        """The types of the fields by name."""
        return DTypes({name: DType(dtype) for name, dtype in _fields(self._column)})

    def field(self, name_or_index: Any) -> Column:
        """A field by its name or number, as a column of that name; a list of them goes on within fields."""
        call = "Series.struct.field"
        keys = labels_of(name_or_index) if not is_label(name_or_index) else [name_or_index]
        if not keys or not all(isinstance(key, str) or is_label(key) for key in keys):
            refuse(
                f"`{call}` takes the name or number of a field, not `{clipped(name_or_index)}`",
                "Give one of them: `p['x'].struct.field('a')`",
                call=call,
            )
        found = self._column
        for key in keys:
            fields = _fields(found)
            column: Column = apply("struct_field", found, key, call=f"`{call}`")
            found = column.rename(fields[key][0] if isinstance(key, int) else key)
        return found

    def explode(self) -> Partition:
        """All fields as columns."""
        names = [name for name, _ in _fields(self._column)]
        if len(set(names)) != len(names):
            refuse("`Series.struct.explode` of fields that share a name", "Take them by number: `.field(0)`")
        return frame_of({name: self.field(number) for number, name in enumerate(names)})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        unknown_attribute(self, "StructAccessor", name, ())

    def __repr__(self) -> str:
        return f"<struct methods of {self._column!r}>"


def _fields(column: Column) -> list[tuple[str, str]]:
    fields = column._frame.fields
    if fields is None:
        refuse(
            f"`.struct` takes fields of structs, and {column!r} has none",
            "Take `.str` of text, `.list` of lists",
            call="Series.struct",
        )
    return fields


class ListStrings:
    """What `column.str` offers of lists, and of structs by name: values by place, slices, lengths, joined texts."""

    __slots__ = ("_column",)
    __hash__ = None  # type: ignore[assignment]
    _is_symbolic = True

    def __init__(self, column: Column) -> None:
        self._column = column

    def _lists(self, name: str) -> Column:
        if not self._column.dtype.startswith("list<"):
            refuse(f"`str.{name}` of structs is not native", "Take a field: `.struct.field(...)`")
        return self._column

    def get(self, i: Any) -> Column:
        """Value number `i` of each list, negative from the end, missing where there is none; a field of structs."""
        call = "`str.get`"
        if isinstance(i, str) and not self._column.dtype.startswith("list<"):
            return apply("struct_field", self._column, i, call=call)  # type: ignore[no-any-return]
        number = whole_number("Series.str.get", "i", i)
        return apply("list_get", self._lists("get"), number, False, call=call)  # type: ignore[no-any-return]

    def slice(self, start: int | None = None, stop: int | None = None, step: int | None = None) -> Column:
        """The values from `start` to `stop` in steps of `step`, as Python slices."""
        call = "Series.str.slice"
        if step == 0:
            refuse(
                f"`{call}` with a step of 0 is an error in pandas too",
                "Give a step that is not 0, or leave it out",
                call=call,
            )
        bounds = (place(call, "start", start), place(call, "stop", stop), place(call, "step", step))
        return apply("list_slice", self._lists("slice"), *bounds, call="`str.slice`")  # type: ignore[no-any-return]

    def __getitem__(self, key: Any) -> Column:
        if type(key).__name__ == "slice":
            return self.slice(key.start, key.stop, key.step)
        return self.get(key)

    def len(self) -> Column:
        """How many values each list has."""
        return apply("list_len", self._lists("len"), call="`str.len`")  # type: ignore[no-any-return]

    def join(self, sep: str) -> Column:
        """The texts of each list with `sep` between them; missing where one of them is."""
        separator = text("Series.str.join", "sep", sep)
        return apply("list_join", self._lists("join"), separator, call="`str.join`")  # type: ignore[no-any-return]

    def __iter__(self) -> NoReturn:
        refuse(
            "iteration over `column.str` is not possible, in pandas neither",
            "Spread the lists into rows: `p.explode('x')`",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        refuse(
            f"`.str.{name}` of lists is not native",
            "Native are `.str[i]`, slices, `.str.len()` and `.str.join()`; `explode()` makes rows of the values",
            call=f"Series.str.{name}",
        )

    def __repr__(self) -> str:
        return f"<methods of the lists of {self._column!r}>"


class Nested(Operators):
    """The part of Column that is about lists and structs."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def name(self) -> Any: ...

    def explode(self, ignore_index: bool = False) -> Column:
        """A row for each value of each list, under the label of its row; one missing value for an empty or missing list.

        A column of other values stays as it is; structs and maps are refused.
        """
        from rlm_hypervisor.partition.column import Column

        frame = exploded(self._frame, [self.name])
        ignore = boolean("Series.explode", "ignore_index", ignore_index)
        return Column(frame.reset_index(True) if ignore else frame)

    @property
    def list(self) -> ListAccessor:
        """The methods of columns of lists: `p["x"].list[0]`, `.list.len()`, `.list.flatten()`."""
        self._of("list")
        return ListAccessor(self)  # type: ignore[arg-type]

    @property
    def struct(self) -> StructAccessor:
        """The fields of columns of structs: `p["x"].struct.field("a")`, `.struct.explode()`."""
        self._of("struct")
        return StructAccessor(self)  # type: ignore[arg-type]

    def _of(self, kind: str) -> None:
        if not self._frame.dtypes[0].startswith(f"{kind}<"):
            raise SchemaMismatchError(
                f"`.{kind}` needs a column of {kind}s, and {self!r} is none",
                details={"call": f"Series.{kind}"},
            )


class NestedFrame:
    """The part of Partition that takes lists apart."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def _require(self, labels: list[Any], call: str) -> list[Any]: ...

    def explode(self, column: Any, ignore_index: bool = False) -> Partition:
        """A row for each value of the lists in `column`, or in several whose lists are as long as each other.

        The other columns and the label of the row are repeated. An empty or missing list gives one row with a
        missing value. A column of other values stays as it is; structs and maps are refused.
        """
        from rlm_hypervisor.partition.frame import Partition

        call = "DataFrame.explode"
        labels = [column] if is_label(column) else column
        if not isinstance(labels, list) or not labels:
            refuse(
                f"`{call}` takes a label or a list of labels, not `{clipped(column)}`",
                "Name a column, or a list of them: `p.explode('x')`",
                call=call,
            )
        self._require(labels, f"`{call}`")
        every = self._frame.columns
        for given in (labels, every):
            if len(set(given)) != len(given):
                refuse(
                    f"`{call}` needs columns with different labels, in pandas too",
                    "Name each column once",
                    call=call,
                )
        frame = exploded(self._frame, labels)
        ignore = boolean(call, "ignore_index", ignore_index)
        return Partition(frame.reset_index(True) if ignore else frame)


def exploded(frame: _core.Frame, labels: list[Any]) -> _core.Frame:
    """Lists taken apart; columns of plain values, whose rows are one value each, stay."""
    dtypes = dict(zip(frame.columns, frame.dtypes, strict=True))
    if all(_is_plain(dtypes[label]) for label in labels):
        return frame
    return frame.explode(labels, True)


def _is_plain(dtype: str) -> bool:
    known = ("int", "uint", "float", "bool", "str", "binary", "date", "timedelta", "decimal", "object")
    return dtype.startswith(known) and not dtype.startswith("struct<") and dtype != "interval"
