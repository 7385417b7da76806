"""`pd.Series` of scalars that are not known yet: what a function of a group gives back for several results."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.arrays import Taken
from rlm_hypervisor.partition.element import isinstance_of
from rlm_hypervisor.partition.operators import Operators
from rlm_hypervisor.partition.refusal import labels_of, only, refuse
from rlm_hypervisor.partition.rows_of_values import Values
from rlm_hypervisor.partition.scalar import Scalar, Summary


def series(
    data: Any = None,
    index: Any = None,
    dtype: object = None,
    name: Any = None,
    copy: object = None,
    fastpath: object = None,
) -> Any:
    """Scalars under labels: a dict of them, or a list with `index`; or a column as it is.

    In a function of rows, single values under labels. Plain values without any of these are pandas' own.
    """
    only("Series", dtype=(dtype, None), copy=(copy, None, True, False), fastpath=(fastpath, None))
    if isinstance(data, Taken):
        from rlm_hypervisor.partition.column import Column

        only("Series", index=(index, None))
        return Column(data.core().with_name(name))
    if isinstance(data, Operators) and data._frame.kind == "series":
        only("Series", index=(index, None))
        return data.copy() if name is None else data.rename(name)  # type: ignore[attr-defined]
    if isinstance(data, dict):
        if index is not None:
            refuse("`pd.Series` of a dict and an index is not native here", "Leave one of them out")
        labels, values = list(data), list(data.values())
    elif isinstance(data, list | tuple):
        values = list(data)
        labels = list(range(len(values))) if index is None else labels_of(index) or []
    else:
        refuse(
            f"`pd.Series` of `{clipped(data)}` is not native",
            "Give it scalars: `pd.Series({'total': g['x'].sum()})`",
        )
    if any(isinstance_of(value) for value in values):
        return Values(labels, values)
    if len(labels) != len(values):
        refuse(
            f"`pd.Series` got {len(values)} values and {len(labels)} labels, which pandas refuses too",
            "Give one label for each value",
        )
    for label, value in zip(labels, values, strict=True):
        if not isinstance(value, Scalar):
            refuse(
                f"`pd.Series` with {label!r} = `{clipped(value)}`: beside scalars of the partition it can hold "
                "nothing else here",
                "Give it aggregates only",
            )
    return Summary(labels, None, [[value] for value in values], name=name)
