"""What a Partition does with its labels: columns renamed, chosen and put in order; the index set and reset."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.column import _SORTS, Column
from rlm_hypervisor.partition.dropping import without_rows
from rlm_hypervisor.partition.dtypes import chosen_by_dtype
from rlm_hypervisor.partition.levels import RowIndex, level_numbers, sorted_index
from rlm_hypervisor.partition.operators import Operators
from rlm_hypervisor.partition.picking import reindexed
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, only, refuse, whole_number
from rlm_hypervisor.partition.replacing import GIVEN_NOTHING

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition


def _partition(frame: _core.Frame) -> Partition:
    from rlm_hypervisor.partition.frame import Partition

    return Partition(frame)


class Shaping:
    """The base of Partition that knows labels."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def _column(self, label: Any, call: str) -> Column: ...
        def _require(self, labels: list[Any], call: str) -> list[Any]: ...
        def _replace(self, frame: _core.Frame, *changed: Any) -> None: ...
        def _assigned(self, label: Any, value: Any, call: str) -> _core.Frame: ...
        def __getitem__(self, key: Any) -> Any: ...
        def __setitem__(self, key: Any, value: Any) -> None: ...
        def __delitem__(self, key: Any) -> None: ...

    def rename(
        self,
        mapper: Any = None,
        *,
        index: Any = None,
        columns: Any = None,
        axis: object = None,
        copy: object = None,
        inplace: bool = False,
        level: object = None,
        errors: str = "ignore",
    ) -> Partition:
        """With renamed columns: a dict, or a function of a label."""
        call = "DataFrame.rename"
        only(call, index=(index, None), inplace=(inplace, False), level=(level, None))
        only(call, copy=(copy, None, True, False))
        only(call, errors=(errors, "ignore", "raise"))
        if mapper is not None:
            if axis not in (1, "columns"):
                refuse(
                    "`DataFrame.rename` of row labels is not native",
                    "Write `rename(columns={...})`",
                    call=call,
                )
            columns = mapper
        if columns is None:
            refuse(
                "`DataFrame.rename` needs to know what to rename",
                "Write `rename(columns={'old': 'new'})`",
                call=call,
            )
        if callable(columns):
            pairs: list[tuple[Any, Any]] = [(label, columns(label)) for label in self._frame.columns]
        elif isinstance(columns, dict):
            if errors == "raise":
                self._require(list(columns), "`DataFrame.rename`")
            pairs = list(columns.items())
        else:
            refuse(
                f"`DataFrame.rename` takes a dict or a function, not `{clipped(columns)}`",
                "Give a dict of old and new labels: `p.rename(columns={'old': 'new'})`",
                call=call,
            )
        return _partition(self._frame.rename([(old, new) for old, new in pairs if old != new]))

    def drop(
        self,
        labels: Any = None,
        *,
        axis: object = 0,
        index: Any = None,
        columns: Any = None,
        level: object = None,
        inplace: bool = False,
        errors: str = "raise",
    ) -> Partition:
        """Without some columns, `drop(columns=[...])` or `drop([...], axis=1)`; or without the rows of some labels.

        A run fails where the index has no such label, unless `errors="ignore"`.
        """
        call = "DataFrame.drop"
        only(call, level=(level, None), inplace=(inplace, False), errors=(errors, "raise", "ignore"))
        if labels is not None:
            if axis in (1, "columns"):
                columns = labels
            else:
                index = labels
        if columns is None and index is None:
            refuse("`DataFrame.drop` needs to know what to drop", "Write `drop(columns=[...])`", call=call)
        if index is not None:
            kept = _partition(without_rows(self._frame, index, errors, call))
            return kept if columns is None else kept.drop(columns=columns, errors=errors)
        found = labels_of(columns) if not isinstance(columns, tuple) else [columns]
        found = [columns] if found is None else found
        if errors == "ignore":
            found = [label for label in found if label in self._frame.columns]
        return _partition(self._frame.drop(self._require(found, "`DataFrame.drop`")))

    def pop(self, item: Any) -> Column:
        """The column, which is then gone from the partition."""
        column = self._column(item, "`pop`")
        del self[item]
        return column

    def sort_index(
        self,
        *,
        axis: object = 0,
        level: object = None,
        ascending: object = True,
        inplace: bool = False,
        kind: str = "quicksort",
        na_position: str = "last",
        sort_remaining: bool = True,
        ignore_index: bool = False,
        key: object = None,
    ) -> Partition:
        """Sorted by the index, or by some of its levels (then by the others)."""
        call = "DataFrame.sort_index"
        only(call, axis=(axis, 0, "index"), inplace=(inplace, False), kind=(kind, *_SORTS), key=(key, None))
        frame = sorted_index(self._frame, level, ascending, na_position, sort_remaining, call)
        return _partition(frame.reset_index(True) if boolean(call, "ignore_index", ignore_index) else frame)

    def reset_index(
        self,
        level: object = None,
        *,
        drop: bool = False,
        inplace: bool = False,
        col_level: object = 0,
        col_fill: object = "",
        allow_duplicates: bool = False,
        names: Any = None,
    ) -> Partition:
        """The index, or some levels of it, as leading columns (called `names`), or dropped.

        Without any level left the rows are numbered from 0.
        """
        call = "DataFrame.reset_index"
        only(call, inplace=(inplace, False), allow_duplicates=(allow_duplicates, False))
        only(call, col_level=(col_level, 0), col_fill=(col_fill, ""))
        dropped = boolean(call, "drop", drop)
        if level is not None:
            frame = self._frame.reset_levels(level_numbers(self._frame, level, call), dropped)
        else:
            frame = self._frame.reset_index(dropped)
        if names is not None and not dropped:
            levels = len(frame.columns) - len(self._frame.columns)
            given = [names] if is_label(names) else labels_of(names)
            if given is None or len(given) != levels:
                refuse(
                    f"`{call}` got `names={clipped(names)}` for {levels} level(s) of the index",
                    "Give one name for each level",
                    call=call,
                )
            frame = frame.rename(
                [(old, new) for old, new in zip(frame.columns, given, strict=False) if old != new]
            )
        return _partition(frame)

    # The index.
    @property
    def index(self) -> RowIndex:
        """The labels of the rows, for expressions: `p[p.index > 3]`, `p["n"] = p.index`."""
        return RowIndex(self._frame)

    def set_index(
        self,
        keys: Any,
        *,
        drop: bool = True,
        append: bool = False,
        inplace: bool = False,
        verify_integrity: bool = False,
    ) -> Partition:
        """Columns (by label, or computed from this partition) as the index; the columns go unless `drop=False`."""
        call = "DataFrame.set_index"
        only(call, inplace=(inplace, False), verify_integrity=(verify_integrity, False))
        given = keys if isinstance(keys, list) else [keys]
        found: list[Any] = []
        for key in given:
            if isinstance(key, Operators) and key._frame.kind == "series":
                found.append(key._frame)
            elif is_label(key):
                found.append(self._require([key], f"`{call}`")[0])
            else:
                refuse(
                    f"`{call}` takes labels or columns of the partition, not `{clipped(key)}`",
                    "Name a column, or give one of the same partition: `p.set_index('k')`",
                    call=call,
                )
        if not found:
            refuse(f"`{call}` needs at least one key", "Name one: `p.set_index('k')`", call=call)
        ways = boolean(call, "drop", drop), boolean(call, "append", append)
        return _partition(self._frame.set_index(found, *ways))

    def rename_axis(
        self,
        mapper: Any = GIVEN_NOTHING,
        *,
        index: Any = GIVEN_NOTHING,
        columns: Any = GIVEN_NOTHING,
        axis: Any = 0,
        copy: object = None,
        inplace: bool = False,
    ) -> Partition:
        """With another name of the index (a list for several levels; None for none)."""
        call = "DataFrame.rename_axis"
        only(call, inplace=(inplace, False), copy=(copy, None, True, False), axis=(axis, 0, "index"))
        if columns is not GIVEN_NOTHING and columns is not None:
            refuse(
                f"`{call}` of the columns is not native: their labels have no name here",
                "Name the columns on the answer: `result.to_pandas().rename_axis(columns='name')`",
                call=call,
            )
        names = mapper if index is GIVEN_NOTHING else index
        return _partition(renamed_levels(self._frame, names, call))

    def droplevel(self, level: Any, axis: Any = 0) -> Partition:
        """Without some levels of the index."""
        call = "DataFrame.droplevel"
        only(call, axis=(axis, 0, "index"))
        numbers = level_numbers(self._frame, level, call)
        if len(numbers) >= len(self._frame.index_names or [None]):
            refuse(
                f"`{call}` of every level is not possible, in pandas neither", "Use `reset_index`", call=call
            )
        return _partition(self._frame.reset_levels(numbers, True))

    # Columns by what they are called, or are.
    def select_dtypes(self, include: Any = None, exclude: Any = None) -> Partition:
        """The columns of some types: names, Python types, `"number"`, `"datetime"`, ..."""
        return _partition(self._frame.select(chosen_by_dtype(self._frame, include, exclude)))

    def filter(
        self,
        arg: Any = None,
        /,
        like: str | None = None,
        regex: str | None = None,
        axis: Any = None,
        *,
        items: Any = None,
        cond: Any = None,
        na: Any = False,
    ) -> Partition:
        """The columns in a list, with a text in their label, or that match a pattern; or rows by a condition."""
        call = "DataFrame.filter"
        only(call, na=(na, False, "raise"))
        if arg is not None and (callable(arg) or isinstance(arg, Operators)):
            cond, arg = arg, None
        items = arg if items is None else items
        given = [value for value in (items, like, regex, cond) if value is not None]
        if len(given) != 1:
            refuse(
                f"`{call}` takes one of `items`, `like`, `regex` and a condition",
                "Give one of them: `p.filter(like='price')`",
                call=call,
            )
        if cond is not None:
            return self[cond]  # type: ignore[no-any-return]
        only(call, axis=(axis, None, 1, "columns"))
        labels = self._frame.columns
        if items is not None:
            wanted = labels_of(items)
            if wanted is None:
                refuse(
                    f"`{call}` takes a list of labels, not `{clipped(items)}`",
                    "Give a list: `items=['x', 'y']`",
                    call=call,
                )
            found = [label for label in wanted if label in labels]
        elif like is not None:
            found = [label for label in labels if like in str(label)]
        else:
            pattern = re.compile(str(regex))
            found = [label for label in labels if pattern.search(str(label)) is not None]
        return _partition(self._frame.select(found))

    def add_prefix(self, prefix: str, axis: Any = None) -> Partition:
        """With a text before every column's label."""
        only("DataFrame.add_prefix", axis=(axis, None, 1, "columns"))
        return _partition(self._frame.rename([(label, f"{prefix}{label}") for label in self._frame.columns]))

    def add_suffix(self, suffix: str, axis: Any = None) -> Partition:
        """With a text after every column's label."""
        only("DataFrame.add_suffix", axis=(axis, None, 1, "columns"))
        return _partition(self._frame.rename([(label, f"{label}{suffix}") for label in self._frame.columns]))

    def set_axis(self, labels: Any, *, axis: Any = 0, copy: object = None) -> Partition:
        """With other labels of the columns (`axis=1`)."""
        call = "DataFrame.set_axis"
        only(call, copy=(copy, None, True, False))
        if axis not in (1, "columns"):
            refuse(f"`{call}` of the rows takes a label for each", "Use `set_index` with a column", call=call)
        new, old = labels_of(labels), self._frame.columns
        if new is None or len(new) != len(old) or len(set(new)) != len(new):
            refuse(
                f"`{call}` takes {len(old)} different labels, one for each column",
                "Give a list of different labels, or rename some: `p.rename(columns={'old': 'new'})`",
                call=call,
            )
        return _partition(self._frame.rename(list(zip(old, new, strict=True))))

    def insert(self, loc: int, column: Any, value: Any, allow_duplicates: bool = False) -> None:
        """Puts a new column at a place among the others."""
        call = "DataFrame.insert"
        only(call, allow_duplicates=(allow_duplicates, False))
        labels = list(self._frame.columns)
        at = whole_number(call, "loc", loc)
        if column in labels or not 0 <= at <= len(labels):
            refuse(
                f"`{call}` takes a new label and a place from 0 to {len(labels)}, not {column!r} at {at}",
                "Give a label that is not there, and a place within these bounds",
                call=call,
            )
        frame = self._assigned(column, value, f"`{call}`")
        self._replace(frame.select([*labels[:at], column, *labels[at:]]), column)

    def isetitem(self, loc: Any, value: Any) -> None:
        """Replaces the column at a place."""
        at = whole_number("DataFrame.isetitem", "loc", loc)
        self[self._frame.columns[at]] = value

    def reindex(
        self,
        labels: Any = None,
        *,
        index: Any = None,
        columns: Any = None,
        axis: Any = None,
        method: object = None,
        copy: object = None,
        level: object = None,
        fill_value: Any = float("nan"),
        limit: object = None,
        tolerance: object = None,
    ) -> Partition:
        """The columns, or the rows, with the labels of a list in its order; those that are not there are `fill_value`."""
        call = "DataFrame.reindex"
        only(call, method=(method, None), level=(level, None), limit=(limit, None))
        only(call, tolerance=(tolerance, None), copy=(copy, None, True, False))
        if labels is not None and axis in (1, "columns"):
            columns = labels
        elif labels is not None:
            index = labels
        if index is not None:
            rows = _partition(reindexed(self._frame, index, fill_value, call))
            return rows if columns is None else rows.reindex(columns=columns, fill_value=fill_value)
        wanted = None if columns is None else labels_of(columns)
        if wanted is None or len(set(wanted)) != len(wanted):
            refuse(
                f"`{call}` takes different labels of columns",
                "Write `reindex(columns=[...])`, or `reindex([...])` for rows",
                call=call,
            )
        frame = self._frame
        for label in wanted:
            if label not in frame.columns:
                frame = frame.assign(label, float("nan") if fill_value is None else fill_value)
        return _partition(frame.select(wanted))

    def squeeze(self, axis: Any = None) -> Any:
        """The only column as a column (`axis=1`); otherwise it depends on the rows."""
        call = "DataFrame.squeeze"
        if axis not in (1, "columns"):
            refuse(f"`{call}` depends on how many rows there are", "Write `squeeze(axis=1)`", call=call)
        labels = self._frame.columns
        return self._column(labels[0], f"`{call}`") if len(labels) == 1 else _partition(self._frame)


def renamed_levels(frame: _core.Frame, names: Any, call: str) -> _core.Frame:
    """The same rows under an index of other names."""
    own = frame.index_names or [None]
    if callable(names):
        new = [names(name) for name in own]
    elif isinstance(names, dict):
        new = [names.get(name, name) for name in own]
    elif names is None or is_label(names):
        new = [names]
    else:
        new = labels_of(names) or []
    if len(new) != len(own):
        refuse(
            f"`{call}` got {len(new)} name(s) for an index of {len(own)} level(s)",
            "Give one name for each level",
            call=call,
        )
    return frame.with_level_names(new)


def sorted_by_key(
    frame: _core.Frame, labels: list[Any], ways: list[bool], missing_first: bool, key: Any, call: str
) -> _core.Frame:
    """Sorted by columns, or by what the key function makes of each."""
    if key is None:
        return frame.sort(labels, ways, missing_first)
    if not callable(key):
        refuse(
            f"`{call}` takes a function for `key`, not `{clipped(key)}`",
            "Give a function of a whole column: `key=lambda s: s.str.lower()`",
            call=call,
        )
    own = list(frame.columns)
    keys: list[Any] = []
    for number, label in enumerate(labels):
        made = key(Column(frame.column(label)))
        if not isinstance(made, Operators) or made._frame.kind != "series":
            refuse(
                f"`{call}`: the key function gives no column of the same rows",
                "Use methods that keep the rows: `lambda s: s.str.lower()`, `lambda s: s.abs()`",
                call=call,
            )
        keys.append(("__key", number))
        frame = frame.assign(keys[-1], made._frame)
    return frame.sort(keys, ways, missing_first).select(own)
