"""Rows of two tables by key: `p.merge(q)`, `p.join(q)`, `pd.merge(p, q)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, missing_column, only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition

_HOWS = ("inner", "left", "right", "outer", "cross")
_VALIDATE = {
    None: (False, False),
    "1:1": (True, True),
    "one_to_one": (True, True),
    "1:m": (True, False),
    "one_to_many": (True, False),
    "m:1": (False, True),
    "many_to_one": (False, True),
    "m:m": (False, False),
    "many_to_many": (False, False),
}


class Merging:
    """The methods of Partition that bring rows of another table to its own."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def merge(
        self,
        right: Any,
        how: str = "inner",
        on: Any = None,
        left_on: Any = None,
        right_on: Any = None,
        left_index: bool = False,
        right_index: bool = False,
        sort: bool = False,
        suffixes: Any = ("_x", "_y"),
        copy: object = None,
        indicator: str | bool = False,
        validate: str | None = None,
    ) -> Partition:
        """Pairs of rows of this and another table that agree in their keys.

        `right` is a partition, one of `client.table(...)`, or a table in memory (pandas, Polars, pyarrow). Keys
        are labels of columns, or the index; missing keys agree with missing ones. `how` is inner, left, right,
        outer (in order of the keys) or cross. `validate` is checked while the task runs. Refused are keys that
        are columns made outside, and levels of an index by name.
        """
        from rlm_hypervisor.partition.tables import table

        call = "DataFrame.merge"
        only(call, copy=(copy, None, True, False))
        return _merged(
            self,
            table(right, f"`{call}`"),
            call,
            how=how,
            on=on,
            left_on=left_on,
            right_on=right_on,
            left_index=boolean(call, "left_index", left_index),
            right_index=boolean(call, "right_index", right_index),
            sort=boolean(call, "sort", sort),
            suffixes=suffixes,
            indicator=indicator,
            validate=validate,
        )

    def join(
        self,
        other: Any,
        on: Any = None,
        how: str = "left",
        lsuffix: str = "",
        rsuffix: str = "",
        sort: bool = False,
        validate: str | None = None,
        *,
        suffixes: Any = ("", ""),
    ) -> Partition:
        """Columns of another table by its index: where it equals the index of this one, or the columns `on`.

        `other` is a partition, a column with a name, or a table in memory; a list of them is refused.
        `suffixes` are put behind labels that both have; `lsuffix` and `rsuffix` are an older way to say it.
        """
        from rlm_hypervisor.partition.tables import series, table

        call = "DataFrame.join"
        column = series(other, f"`{call}`")
        if column is not None:
            if column.name is None:
                refuse(f"`{call}` takes a column with a name", "Name it: `column.rename('name')`", call=call)
            other = column.to_frame()
        if isinstance(other, list | tuple):
            refuse(f"`{call}` with a list of tables is not native", "Join one after the other", call=call)
        right = table(other, f"`{call}`")
        both = [label for label in self._frame.columns if label in right._frame.columns]
        if lsuffix or rsuffix:
            only(call, suffixes=(suffixes, ("", "")))
            suffixes = (lsuffix, rsuffix)
        if both and not any(suffixes):
            refuse(
                f"`{call}`: columns overlap but no suffix specified: {both!r}",
                "Pass `suffixes`",
                call=call,
            )
        return _merged(
            self,
            right,
            call,
            how=how,
            left_on=on,
            left_index=on is None and how != "cross",
            right_index=how != "cross",
            sort=boolean(call, "sort", sort),
            suffixes=suffixes,
            validate=validate,
        )


def _merged(
    left: Any,
    right: Any,
    call: str,
    *,
    how: Any,
    on: Any = None,
    left_on: Any = None,
    right_on: Any = None,
    left_index: bool = False,
    right_index: bool = False,
    sort: bool = False,
    suffixes: Any = ("_x", "_y"),
    indicator: Any = False,
    validate: Any = None,
) -> Partition:
    from rlm_hypervisor.partition.frame import Partition

    if how not in _HOWS:
        refuse(f"`{call}` with `how={how!r}` is not native", f"It is one of {', '.join(_HOWS)}", call=call)
    keys = (on, left_on, right_on)
    if how == "cross":
        if any(key is not None for key in keys) or left_index or right_index:
            refuse(f"`{call}` with how='cross' takes no keys", "Leave the keys out", call=call)
        theirs: list[Any] | None = []
        ours: list[Any] | None = []
    else:
        ours, theirs = _keys(left, right, call, keys, left_index, right_index)
        _refuse_third_column(left, right, call, ours, theirs)
    if validate not in _VALIDATE:
        refuse(
            f"`{call}`: '{validate}' is not a valid argument for `validate`",
            "Give '1:1', '1:m', 'm:1' or 'm:m'",
            call=call,
        )
    if not isinstance(suffixes, list | tuple) or len(suffixes) != 2:
        refuse(
            f"`{call}` takes two suffixes, not `{clipped(suffixes)}`",
            "Give a pair: `suffixes=('_x', '_y')`",
            call=call,
        )
    found = [None if suffix is None else str(suffix) for suffix in suffixes]
    label = "_merge" if indicator is True else indicator or None
    if label is not None and not isinstance(label, str):
        refuse(
            f"`{call}` takes True or a name for `indicator`, not `{clipped(indicator)}`",
            "Give True, which makes the column `_merge`, or its name",
            call=call,
        )
    if label is not None:
        for name in ("_left_indicator", "_right_indicator", label):
            if name in left._frame.columns or name in right._frame.columns:
                refuse(
                    f"`{call}` cannot add an indicator: there is a column {name!r}",
                    "Rename that column first, or give another name: `indicator='source'`",
                    call=call,
                )
    frame = left._frame.merge(
        right._frame, how, ours, theirs, (found[0], found[1]), label, sort, _VALIDATE[validate]
    )
    return Partition(frame)


def _keys(
    left: Any, right: Any, call: str, given: tuple[Any, Any, Any], left_index: bool, right_index: bool
) -> tuple[list[Any] | None, list[Any] | None]:
    """The labels of both sides' keys; None for an index."""
    on, left_on, right_on = given
    if on is not None:
        if left_on is not None or right_on is not None or left_index or right_index:
            refuse(
                f"`{call}` takes `on`, or keys for both sides, not both",
                "Give `on`, or `left_on` and `right_on`",
                call=call,
            )
        left_on = right_on = on
    elif not any((left_index, right_index, left_on is not None, right_on is not None)):
        both = [label for label in left._frame.columns if label in right._frame.columns]
        if not both:
            refuse(f"`{call}`: there is no column that both tables have", "Pass `on`", call=call)
        left_on = right_on = both
    if (left_index and left_on is not None) or (right_index and right_on is not None):
        refuse(f"`{call}` takes labels or the index of a side, not both", "Leave one of them out", call=call)
    if (not left_index and left_on is None) or (not right_index and right_on is None):
        refuse(f"`{call}` needs keys for both sides", "Pass `left_on` and `right_on`, or `on`", call=call)
    return (
        None if left_index else _labels(left_on, left, call),
        None if right_index else _labels(right_on, right, call),
    )


def _refuse_third_column(
    left: Any, right: Any, call: str, ours: list[Any] | None, theirs: list[Any] | None
) -> None:
    """A key that is a column here and the index there, where a column has its label too: pandas returns it three times."""
    for labels, own, other in ((ours, left, right), (theirs, right, left)):
        if labels is not None and (theirs if labels is ours else ours) is None:
            for label in labels:
                if label in own._frame.columns and label in other._frame.columns:
                    refuse(
                        f"`{call}`: the key {label!r} meets an index, and the other table has a column {label!r} too",
                        "Rename that column first, or leave it out",
                        call=call,
                    )


def _labels(given: Any, side: Any, call: str) -> list[Any]:
    labels = [given] if is_label(given) else labels_of(given)
    if not labels or not all(is_label(label) for label in labels):
        refuse(
            f"`{call}` takes labels of columns as keys, not `{clipped(given)}`",
            "Assign the key as a column first: `p.assign(key=...)`",
            call=call,
        )
    for label in labels:
        if label not in side._frame.columns and label not in (side._frame.index_names or ()):
            raise missing_column(label, side._frame.columns, f"`{call}`")
    return labels


def merge(
    left: Any,
    right: Any,
    how: str = "inner",
    on: Any = None,
    left_on: Any = None,
    right_on: Any = None,
    left_index: bool = False,
    right_index: bool = False,
    sort: bool = False,
    suffixes: Any = ("_x", "_y"),
    copy: object = None,
    indicator: str | bool = False,
    validate: str | None = None,
) -> Partition:
    """`pd.merge` where one of the tables is a partition."""
    from rlm_hypervisor.partition.tables import series, table

    sides = []
    for side in (left, right):
        column = series(side, "`pd.merge`")
        if column is not None and column.name is None:
            refuse("`pd.merge` takes a series with a name", "Name it: `column.rename('name')`")
        sides.append(table(side if column is None else column.to_frame(), "`pd.merge`"))
    return sides[0].merge(
        sides[1],
        how,
        on,
        left_on,
        right_on,
        left_index,
        right_index,
        sort,
        suffixes,
        copy,
        indicator,
        validate,
    )
