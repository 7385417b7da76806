"""What a column of times has beside other columns: the accessor `dt`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor.partition.operators import Operators
from rlm_hypervisor.partition.refusal import only

if TYPE_CHECKING:
    from rlm_hypervisor import _core


class Temporal(Operators):
    """The base of Column that knows times."""

    __slots__ = ()

    def _binary(self, op: str, other: object, reflected: bool = False) -> Any:
        from rlm_hypervisor.partition.offsets import is_offset, moved

        if is_offset(other) and (op == "add" or (op == "sub" and not reflected)):
            return moved(self, other, op == "sub")
        return super()._binary(op, other, reflected)

    @property
    def dt(self) -> Any:
        """Parts of times and spans, rounding and time zones: `p["t"].dt.year`."""
        from rlm_hypervisor.partition.datetimes import accessor

        return accessor(self)  # type: ignore[arg-type]

    def resample(
        self,
        rule: Any,
        closed: str | None = None,
        label: str | None = None,
        on: Any = None,
        level: Any = None,
        origin: Any = "start_day",
        offset: Any = None,
        group_keys: bool = False,
    ) -> Any:
        """Bins of time of an index of times: `p.set_index("t")["x"].resample("D").sum()`.

        `origin` and `offset` are refused, and `closed="right"` of days in a time zone and of `MS`, `QS`, `YS`.
        """
        from rlm_hypervisor.partition.resampling import resampled

        only("Series.resample", on=(on, None))
        given = {"group_keys": (group_keys, False, True)}
        return resampled(
            self._frame, "Series.resample", rule, closed, label, None, level, origin, offset, **given
        )


class TemporalFrame:
    """The base of Partition that knows times."""

    __slots__ = ()
    _frame: _core.Frame

    def resample(
        self,
        rule: Any,
        closed: str | None = None,
        label: str | None = None,
        on: Any = None,
        level: Any = None,
        origin: Any = "start_day",
        offset: Any = None,
        group_keys: bool = False,
    ) -> Any:
        """Bins of the times in the column `on`, or in the index: `p.resample("D", on="t").sum()`.

        Bins without rows are there too. `origin` and `offset` are refused, and `closed="right"` of days in a time
        zone and of `MS`, `QS`, `YS`.
        """
        from rlm_hypervisor.partition.resampling import resampled

        given = {"group_keys": (group_keys, False, True)}
        return resampled(
            self._frame, "DataFrame.resample", rule, closed, label, on, level, origin, offset, **given
        )
