"""A partition beside another table or constants: `p.combine_first(q)`, `p.equals(q)`, `p[["a", "b"]].dot(weights)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._lazy import is_instance
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.column_pairs import alike
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import labels_of, only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition


class FramePairs:
    """The part of Partition that goes with another table."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def __getitem__(self, key: Any) -> Any: ...

    def combine_first(self, other: Any) -> Partition:
        """The values, and those of another partition where they are missing, over the labels and columns of both."""
        from rlm_hypervisor.partition.frame import Partition

        call = "DataFrame.combine_first"
        if not isinstance(other, Partition):
            refuse(
                f"`{call}` takes a partition, not `{clipped(other)}`",
                "Fill with values: `p.fillna(0)`",
                call=call,
            )
        mine, theirs = list(self._frame.columns), list(other._frame.columns)
        labels = [*mine, *(label for label in theirs if label not in mine)]
        one: Any = self
        if not self._frame.same_rows(other._frame):
            one, other = one.align(other)
        frame = one._frame
        for label in labels:
            if label in mine and label in theirs:
                frame = frame.assign(label, apply("fillna", one[label], other[label])._frame)
            elif label in theirs:
                frame = frame.assign(label, other[label]._frame)
        return Partition(frame.select(labels))

    def equals(self, other: Any) -> Any:
        """Whether a partition of the same rows has the same columns, types and values, missing ones included."""
        from rlm_hypervisor.partition.frame import Partition

        call = "DataFrame.equals"
        if not isinstance(other, Partition) or not self._frame.same_rows(other._frame):
            refuse(
                f"`{call}` is native for partitions of the same rows",
                "Compare the answers: `a.to_pandas().equals(b.to_pandas())`",
                call=call,
            )
        mine, theirs = self._frame, other._frame
        if mine.columns != theirs.columns or mine.dtypes != theirs.dtypes or not mine.columns:
            return mine.columns == theirs.columns and mine.dtypes == theirs.dtypes
        return alike([(self[label], other[label]) for label in mine.columns])

    def dot(self, other: Any) -> Column:
        """Each row's sum of values times weights: a list or array in the columns' order, or a pandas Series by label."""
        call = "DataFrame.dot"
        labels = self._frame.columns
        weights = other.to_dict() if is_instance(other, "pandas", "Series") else None
        listed = labels_of(other) if weights is None else None
        if listed is not None:
            weights = dict(zip(labels, listed, strict=False)) if len(listed) == len(labels) else {}
        if weights is None or set(weights) != set(labels) or not labels:
            refuse(
                f"`{call}` takes one number for each of the {len(labels)} column(s), not `{clipped(other)}`",
                "Give a list, or a pandas Series with the columns' labels",
                call=call,
            )
        total = None
        for label in labels:
            part = apply("mul", self[label], constant(weights[label], f"`{call}`"))
            total = part if total is None else total + part
        assert total is not None
        return total.rename(None)  # type: ignore[no-any-return]

    def infer_objects(self, copy: object = None) -> Partition:
        """The same: columns have types of their own already."""
        from rlm_hypervisor.partition.frame import Partition

        only("DataFrame.infer_objects", copy=(copy, None, True, False))
        return Partition(self._frame)
