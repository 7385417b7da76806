"""Functions of rows that give several values: `p.apply(lambda row: pd.Series([...]), axis=1)`; each becomes a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor.partition import exploring
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.mapping import _kind, computed
from rlm_hypervisor.partition.refusal import refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition


class Values:
    """Several values of one row under labels: what `pd.Series` of single values is."""

    __slots__ = ("labels", "values")
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, labels: list[Any], values: list[Any]) -> None:
        self.labels = labels
        self.values = values

    def __eq__(self, other: object) -> bool:
        # Two runs of a function are compared value by value, when the columns are made.
        return isinstance(other, Values) and self.labels == other.labels

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        path = exploring.current()
        said = f"`.{name}` of a `pd.Series` in a function of rows is not native"
        if path is not None:
            path.fail(said, "Compute with its values before, and return it as it is", "DataFrame.apply")
        refuse(said, "Return it as it is", call="DataFrame.apply")


def _several(value: Any, listed: bool) -> Values | None:
    if isinstance(value, Values):
        return value
    if listed and isinstance(value, list | tuple):
        return Values(list(range(len(value))), list(value))
    return None


def expanded(frame: _core.Frame, run: Callable[[], Any], call: str, listed: bool) -> Partition | None:
    """A column for each of the values that the function gives; None where it gives one value.

    `listed` says that lists and tuples are several values too.
    """
    tree = exploring.pruned(exploring.explore(run, call))
    if tree is None:
        return None
    leaves = [_several(value, listed) for value in exploring.values_of(tree)]
    if all(leaf is None for leaf in leaves):
        return None
    found = [leaf for leaf in leaves if leaf is not None]
    labels = found[0].labels
    if len(found) < len(leaves) or any(leaf.labels != labels for leaf in found) or not labels:
        refuse(
            f"{call}: the function does not give the same labels for every row",
            "Return as many values, under the same labels, on every path; None for what is missing",
            call=call.strip("`"),
        )
    kinds = {_kind(value, call) for leaf in found for value in leaf.values}
    # A series of whole numbers and floats is one of floats.
    widened = kinds <= {"int", "float"} and len(kinds) == 2
    result: _core.Frame | None = None
    for place, label in enumerate(labels):

        def one(place: int = place) -> Any:
            several = _several(run(), listed)
            assert several is not None
            return several.values[place]

        column: Any = Column(computed(frame, one, call))
        if widened:
            column = column.astype("float64")
        result = column._frame.to_frame(label) if result is None else result.assign(label, column._frame)
    from rlm_hypervisor.partition.frame import Partition

    assert result is not None
    return Partition(result)
