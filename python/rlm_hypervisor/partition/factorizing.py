"""Values as numbers: `codes, values = pd.factorize(p["k"])`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import Operators, apply
from rlm_hypervisor.partition.refusal import boolean, only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column


class Factorizing:
    """The base of Column that numbers its values."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def factorize(self, sort: bool = False, use_na_sentinel: bool = True) -> tuple[Column, Column]:
        """The number of each row's value among the different ones, and these.

        They are numbered in order of appearance, or with `sort` in their own. Missing values are -1, or with
        `use_na_sentinel=False` a value of their own. Where pandas gives arrays these are columns: the numbers of the
        same rows, the values numbered from 0.
        """
        from rlm_hypervisor.partition.column import Column

        call = "Series.factorize"
        ordered, dropped = boolean(call, "sort", sort), boolean(call, "use_na_sentinel", use_na_sentinel)
        frame = self._frame.to_frame("value")
        groups = frame.group(["value"], True, ordered, dropped)
        number = groups.window("ngroup", None, [True]) if ordered else groups.window("group_number", None, [])
        codes = apply("fillna", Column(number), -1) if dropped else Column(number)
        values = Column(self._frame)
        values = values.dropna() if dropped else values
        values = values.drop_duplicates()
        values = values.sort_values() if ordered else values
        return Column(codes._frame.with_name(None)), Column(values._frame.reset_index(True).with_name(None))


def factorize(
    values: Any, sort: bool = False, use_na_sentinel: bool = True, size_hint: object = None
) -> tuple[Column, Column]:
    """`pd.factorize` of a column."""
    only("pandas.factorize", size_hint=(size_hint, None))
    if not isinstance(values, Operators) or values._frame.kind != "series":
        refuse(
            f"`pandas.factorize` takes a column, not `{clipped(values)}`",
            "Of several columns together it is `p.groupby(['a', 'b'], sort=False).ngroup()`",
            call="pandas.factorize",
        )
    return values.factorize(sort, use_na_sentinel)  # type: ignore[attr-defined,no-any-return]
