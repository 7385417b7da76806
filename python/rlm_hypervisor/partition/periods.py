"""Periods of time: `p["t"].dt.to_period("M")`, which have names and starts, but no type of their own here."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column

_FORMATS = {
    "Y": "%Y",
    "M": "%Y-%m",
    "D": "%Y-%m-%d",
    "h": "%Y-%m-%d %H:00",
    "min": "%Y-%m-%d %H:%M",
    "s": "%Y-%m-%d %H:%M:%S",
}
_STARTS = {"Y": "YS", "Q": "QS", "M": "MS", "D": "D", "h": "h", "min": "min", "s": "s"}
_DAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]

_ADVICE = "Take their names, `.astype(str)`, or their starts, `.dt.start_time`"


class Periods:
    """Of each time the period that it is in: its name by `astype(str)`, its start by `dt.start_time`.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"t": pd.to_datetime(["2024-01-05", "2024-05-31"]), "v": [1, 2]})
    >>> def by_quarter(p):
    ...     return p.groupby(p["t"].dt.to_period("Q").astype(str))["v"].sum()
    >>> RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": by_quarter}}).to_dict()
    {'2024Q1': 1, '2024Q2': 2}
    """

    __slots__ = ("_freq", "_times")
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, times: Column, freq: str) -> None:
        self._times = times
        self._freq = freq

    def astype(self, dtype: Any, copy: object = None, errors: str = "raise") -> Column:
        """The periods' names: `2024-01`, `2024Q1`, `2024-01-01/2024-01-07`."""
        only("Series.astype", errors=(errors, "raise"), copy=(copy, None, True, False))
        if dtype is not str and dtype not in ("str", "string", "object"):
            refuse(f"periods as `{clipped(dtype)}` are not native", _ADVICE, call="Series.astype")
        if self._freq in _FORMATS:
            return self._times.dt.strftime(_FORMATS[self._freq])  # type: ignore[no-any-return]
        if self._freq == "Q":
            years, quarters = (
                apply("astype", part, "str") for part in (self._times.dt.year, self._times.dt.quarter)
            )
            return years + "Q" + quarters  # type: ignore[no-any-return]
        start = self._start()
        last = start + datetime.timedelta(days=6)
        return start.dt.strftime("%Y-%m-%d") + "/" + last.dt.strftime("%Y-%m-%d")  # type: ignore[no-any-return]

    @property
    def dt(self) -> PeriodTimes:
        """Starts and names of the periods."""
        return PeriodTimes(self)

    @property
    def dtype(self) -> str:
        """What pandas calls the type."""
        return f"period[{self._freq}]"

    def _start(self) -> Column:
        from rlm_hypervisor.partition.column import Column

        if self._freq in _STARTS:
            label = ("rlm", "time")
            binned = self._times._frame.to_frame(label).bins(label, _STARTS[self._freq], None, None)
            return Column(binned.with_name(self._times.name))
        day = _DAYS.index(self._freq.partition("-")[2])
        # A week ends on its day; the first one is the day after.
        since = (self._times.dt.dayofweek + (6 - day)) % 7
        days = apply("to_timedelta", since, "D", "raise")
        return self._times.dt.normalize() - days  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        refuse(f"`.{name}` of periods is not native: they have no type here", _ADVICE, call="dt.to_period")

    def __bool__(self) -> NoReturn:
        refuse("the truth of periods", _ADVICE)

    def __iter__(self) -> NoReturn:
        refuse("iteration over periods", _ADVICE)

    def __repr__(self) -> str:
        return f"<periods {self._freq}, not known while tracing>"


class PeriodTimes:
    """The accessor `dt` of periods."""

    __slots__ = ("_of",)
    _is_symbolic = True

    def __init__(self, of: Periods) -> None:
        self._of = of

    @property
    def start_time(self) -> Column:
        """When each period begins."""
        return self._of._start()

    def to_timestamp(self, freq: object = None, how: str = "start") -> Column:
        """When each period begins. Ends are refused."""
        only("dt.to_timestamp", freq=(freq, None), how=(how, "start", "s"))
        return self._of._start()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        refuse(f"`.dt.{name}` of periods is not native: they have no type here", _ADVICE, call="dt.to_period")

    def __repr__(self) -> str:
        return "<dt of periods, not known while tracing>"


def to_period(times: Column, freq: object) -> Periods:
    """`dt.to_period` of a column of times."""
    call = "dt.to_period"
    given = getattr(freq, "freqstr", freq)
    if not isinstance(given, str):
        refuse(f"`{call}` needs a frequency, such as 'M'", "Give one: `.dt.to_period('M')`", call=call)
    found = {"Y-DEC": "Y", "Q-DEC": "Q", "W": "W-SUN"}.get(given, given)
    if found not in _STARTS and not (found.startswith("W-") and found[2:] in _DAYS):
        refuse(
            f"`{call}` with `{clipped(freq)}` is not native",
            f"Native are {', '.join([*_STARTS, 'W'])}",
            call=call,
        )
    if str(times.dtype).partition(", ")[1]:
        times = times.dt.tz_localize(None)
    return Periods(times, found)
