"""Rows left out by their labels: `p.drop(index=[...])`, `p.drop(p[p["x"] > 3].index)`, `s.drop("total")`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.constant import constants
from rlm_hypervisor.partition.operators import apply, wrap
from rlm_hypervisor.partition.refusal import labels_of, only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column


def without_rows(frame: _core.Frame, labels: Any, errors: object, call: str) -> _core.Frame:
    """The frame without the rows of these labels: constants, or the index of other rows.

    A run fails where a label is not there, unless `errors` is "ignore".
    """
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.levels import RowIndex

    only(call, errors=(errors, "raise", "ignore"))
    if len(frame.index_names or [None]) > 1:
        refuse(
            f"`{call}` of rows of an index of several levels is not native",
            "Call `reset_index()` first, and select rows with a condition",
            call=call,
        )
    own = Column(frame.level(0))
    if isinstance(labels, RowIndex):
        labels = labels.to_series()
    if isinstance(labels, Column):
        other = Column(labels._frame.reset_index(True))
        gone = own.isin(other)
        there: Any = (~other.isin(own)).sum() == 0
    else:
        listed = [labels] if isinstance(labels, tuple) else labels_of(labels)
        listed = constants([labels] if listed is None else listed, f"`{call}`")
        if not listed:
            return frame
        gone = wrap(_core.Frame.call("isin", [own._frame, listed]))  # type: ignore[assignment]
        there = own[gone].nunique() == len(set(listed))
    keep = ~gone
    if errors == "raise":
        message = f"`{call}`: a label of {clipped(labels)} is not in the index"
        keep = apply("ensure", keep, there, message)
    return frame.filter(keep._frame)


class Dropping:
    """The base of Column that leaves out rows by their labels."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def drop(
        self,
        labels: Any = None,
        *,
        axis: object = 0,
        index: Any = None,
        columns: object = None,
        level: object = None,
        inplace: bool = False,
        errors: str = "raise",
    ) -> Column:
        """Without the rows of these labels; a run fails where one is not there, unless `errors="ignore"`."""
        from rlm_hypervisor.partition.column import Column

        call = "Series.drop"
        only(call, axis=(axis, 0, "index"), columns=(columns, None), level=(level, None))
        only(call, inplace=(inplace, False))
        given = index if labels is None else labels
        if given is None:
            refuse(f"`{call}` needs to know what to drop", "Write `s.drop(['a', 'b'])`", call=call)
        return Column(without_rows(self._frame, given, errors, call))

    def droplevel(self, level: Any, axis: Any = 0) -> Column:
        """Without some levels of the index."""
        from rlm_hypervisor.partition.column import Column
        from rlm_hypervisor.partition.levels import level_numbers

        call = "Series.droplevel"
        only(call, axis=(axis, 0, "index"))
        numbers = level_numbers(self._frame, level, call)
        if len(numbers) >= len(self._frame.index_names or [None]):
            refuse(
                f"`{call}` of every level is not possible, in pandas neither", "Use `reset_index`", call=call
            )
        return Column(self._frame.reset_levels(numbers, True))

    def add_prefix(self, prefix: Any, axis: object = None) -> Column:
        """With `prefix` before every label of the index, which become text."""
        return self._labelled("add_prefix", axis, lambda labels: apply("add", str(prefix), labels))

    def add_suffix(self, suffix: Any, axis: object = None) -> Column:
        """With `suffix` behind every label of the index, which become text."""
        return self._labelled("add_suffix", axis, lambda labels: apply("add", labels, str(suffix)))

    def _labelled(self, name: str, axis: object, change: Any) -> Column:
        from rlm_hypervisor.partition.column import Column

        call = f"Series.{name}"
        only(call, axis=(axis, None, 0, "index"))
        names = self._frame.index_names or [None]
        if len(names) > 1:
            refuse(
                f"`{call}` of an index of several levels is not native",
                "Call `reset_index()` first",
                call=call,
            )
        labels = apply("astype", Column(self._frame.level(0)), "str")
        frame = self._frame.set_index([change(labels)._frame], False, False)
        return Column(frame.with_level_names(names))

    @property
    def T(self) -> Column:
        """The column itself."""
        return self.transpose()

    def transpose(self, *args: object) -> Column:
        """The column itself."""
        from rlm_hypervisor.partition.column import Column

        return Column(self._frame)

    def keys(self) -> Any:
        """The index."""
        return self.index  # type: ignore[attr-defined]
