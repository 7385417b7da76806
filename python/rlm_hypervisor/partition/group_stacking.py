"""Several rows for each group: `groupby(...).quantile([0.1, 0.9])`, `groupby(...).corr()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEVEL = ("rlm", "level")


def stacked(
    groups: _core.Groups,
    labels: Sequence[Any],
    columns: Sequence[tuple[Any, Sequence[tuple[Sequence[_core.Frame], str, dict[str, Any]]]]],
) -> _core.Frame:
    """Of each group a row for each of `labels`, which are one more level of the index.

    `columns` are labels with an aggregate (columns, function, parameters) for each of those rows.
    """
    items: list[Any] = []
    for number, (_, cells) in enumerate(columns):
        for place, (inputs, function, params) in enumerate(cells):
            items.append((("rlm", number, place), list(inputs), function, params))
    frame = groups.aggregate(items, False)
    for place, label in enumerate(labels):
        frame = frame.assign(("rlm", "label", place), label)
    of = frame
    frame = frame.assign(_LEVEL, _listed(of, [("rlm", "label", place) for place in range(len(labels))]))
    names = [("rlm", "column", number) for number in range(len(columns))]
    for number, name in enumerate(names):
        parts = [("rlm", number, place) for place in range(len(labels))]
        frame = frame.assign(name, _listed(of, parts))
    frame = frame.select([_LEVEL, *names]).explode([_LEVEL, *names], False)
    frame = frame.set_index([_LEVEL], True, True).with_level_names([*groups.keys, None])
    return frame.rename([(name, label) for name, (label, _) in zip(names, columns, strict=True)])


def _listed(frame: _core.Frame, labels: list[Any]) -> _core.Frame:
    return _core.Frame.call("list_make", [frame.column(label) for label in labels])


def quantiles(
    groups: _core.Groups, columns: dict[Any, _core.Frame], fractions: list[float], how: str, call: str
) -> _core.Frame:
    """A row for each of these quantiles of each group."""
    if not fractions:
        refuse(f"`{call}` of no quantiles", "Name at least one", call=call)
    wanted = [
        (label, [([column], "quantile", {"q": q, "interpolation": how}) for q in fractions])
        for label, column in columns.items()
    ]
    return stacked(groups, fractions, wanted)


class GroupMatrices:
    """What a partition's group-by knows of pairs of its columns."""

    __slots__ = ()
    _as_index: bool
    _groups: _core.Groups

    if TYPE_CHECKING:

        def _call(self, method: str) -> str: ...
        def _columns(self) -> dict[Any, _core.Frame]: ...

    def corr(self, method: Any = "pearson", min_periods: Any = 1, numeric_only: bool = False) -> Any:
        """Pearson's correlations of every two columns within each group: a row for each group and column."""
        call = self._call("corr")
        only(call, method=(method, "pearson"))
        return self._matrix("finite_corr", call, numeric_only, whole_number(call, "min_periods", min_periods))

    def cov(self, min_periods: Any = None, ddof: Any = 1, numeric_only: bool = False) -> Any:
        """The covariances of every two columns within each group: a row for each group and column; `ddof` is 1."""
        call = self._call("cov")
        only(call, ddof=(ddof, 1))
        least = 1 if min_periods is None else whole_number(call, "min_periods", min_periods)
        return self._matrix("finite_cov", call, numeric_only, least)

    def _matrix(self, function: str, call: str, numeric_only: object, least: int) -> Any:
        from rlm_hypervisor.partition.frame import Partition

        only(call, as_index=(self._as_index, True))
        columns = self._columns()
        kept = {label: column for label, column in columns.items() if DType(column.dtypes[0]).is_number}
        if not boolean(call, "numeric_only", numeric_only) and len(kept) < len(columns):
            refuse(
                f"`{call}` needs numbers, and some columns are others",
                "Select the numeric columns, or pass numeric_only=True",
                call=call,
            )
        if not kept or not all(isinstance(label, str) for label in kept):
            refuse(
                f"`{call}` needs numeric columns that are called by strings",
                "Select and rename them first: `p[['k', 'x', 'y']].groupby('k')`",
                call=call,
            )
        wanted = [
            (label, [([one, column], function, {"min_count": least}) for one in kept.values()])
            for label, column in kept.items()
        ]
        return Partition(stacked(self._groups, list(kept), wanted))
