"""What columns of times have beside others, and partitions with an index of times: `dt`, `resample`, `asfreq`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor.partition.operators import Operators
from rlm_hypervisor.partition.refusal import only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor import _core


class TimedRows:
    """What partitions and columns with an index of times have."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def _method(self, method: str) -> str: ...

    def asfreq(
        self,
        freq: Any,
        method: Any = None,
        how: object = None,
        normalize: bool = False,
        fill_value: Any = None,
    ) -> Any:
        """The rows at the times of a frequency, from the index' first time to its last: `p.set_index("t").asfreq("D")`.

        Where there is no row values are missing, or `fill_value`, or by `method` ("ffill", "bfill", "nearest") those
        of the row before, after, or nearest; then times have to be in order. A run fails where a time is there twice.
        Frequencies are fixed spans, business days ("B"), weeks, months, quarters and years, or so many of one of them.
        """
        from rlm_hypervisor.partition.upsampling import as_frequency

        return as_frequency(self._frame, self._method("asfreq"), freq, method, how, normalize, fill_value)

    def tz_localize(
        self,
        tz: Any,
        axis: object = 0,
        level: object = None,
        copy: object = None,
        ambiguous: Any = "raise",
        nonexistent: Any = "raise",
    ) -> Any:
        """With the index' clock times in a zone, or (None) in none; see `dt.tz_localize`."""
        call = self._method("tz_localize")
        self._index_only(call, axis, level, copy)
        return self._relabelled(call, lambda times: times.dt.tz_localize(tz, ambiguous, nonexistent))

    def tz_convert(self, tz: Any, axis: object = 0, level: object = None, copy: object = None) -> Any:
        """With the index' instants by the clocks of another zone; see `dt.tz_convert`."""
        call = self._method("tz_convert")
        self._index_only(call, axis, level, copy)
        return self._relabelled(call, lambda times: times.dt.tz_convert(tz))

    @staticmethod
    def _index_only(call: str, axis: object, level: object, copy: object) -> None:
        only(call, axis=(axis, 0, "index"), level=(level, None), copy=(copy, None, True, False))

    def _relabelled(self, call: str, change: Any) -> Any:
        """With other times as index."""
        from rlm_hypervisor.partition.operators import wrap

        names = self._frame.index_names or []
        times: Any = wrap(self._frame.level(0))
        if len(names) != 1 or times.dtype.kind != "M":
            refuse(f"`{call}` needs an index of times", "Set it first: `p.set_index('t')`", call=call)
        frame = self._frame.set_index([change(times)._frame], False, False).with_level_names(names)
        return type(self)(frame)  # type: ignore[call-arg]


class Temporal(TimedRows, Operators):
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


class TemporalFrame(TimedRows):
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
