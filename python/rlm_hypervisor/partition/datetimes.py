"""The accessor `p["t"].dt`: parts of times and spans, rounding, time zones."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import only, refuse
from rlm_hypervisor.partition.surface import unknown_attribute

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.frame import Partition
    from rlm_hypervisor.partition.periods import Periods

__all__ = ["DatetimeProperties", "TimedeltaProperties", "accessor", "frequency", "zone"]


def accessor(column: Column) -> DatetimeProperties | TimedeltaProperties:
    """The accessor that fits the column's type."""
    kind = column.dtype.kind
    if kind == "M":
        return DatetimeProperties(column)
    if kind == "m":
        return TimedeltaProperties(column)
    refuse(
        f"`.dt` of a {column.dtype} column: only times and spans have it",
        "Read the column with `pd.to_datetime(...)` first; dates with `.astype('datetime64[s]')`",
        call="Series.dt",
    )


def frequency(freq: object, call: str) -> str:
    """A frequency as pandas writes it: of a string, an offset of `pd.offsets`, or a span."""
    if isinstance(freq, str):
        return freq
    if isinstance(freq, datetime.timedelta):
        exact = getattr(freq, "value", None)
        if getattr(freq, "unit", "ns") == "ns" and isinstance(exact, int):
            return f"{exact}ns"
        return f"{freq // datetime.timedelta(microseconds=1)}us"
    text = getattr(freq, "freqstr", None)
    if isinstance(text, str) and type(freq).__module__.startswith("pandas."):
        return text
    refuse(
        f"`{call}` takes a frequency such as 'D' or '15min', not `{clipped(freq)}`",
        "Write it as text, such as '1h30min', 'W' or 'MS'",
        call=call,
    )


def zone(tz: object, call: str) -> str:
    """A time zone's name: of a string, or of a zone of `zoneinfo`, `pytz` or `datetime`."""
    if isinstance(tz, str):
        return "UTC" if tz.lower() == "utc" else tz
    if isinstance(tz, datetime.timezone):
        offset = tz.utcoffset(None)
        if not offset:
            return "UTC"
        sign = "-" if offset < datetime.timedelta(0) else "+"
        minutes, rest = divmod(abs(offset), datetime.timedelta(minutes=1))
        if not rest:
            return f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    name = getattr(tz, "key", None) or getattr(tz, "zone", None)
    if isinstance(tz, datetime.tzinfo) and isinstance(name, str):
        return name
    refuse(f"`{call}` takes the name of a time zone, not `{clipped(tz)}`", "E.g. 'Europe/Berlin'", call=call)


def _zone_of(column: Column) -> str | None:
    """The zone in a type's name: `datetime64[us, UTC]`."""
    _, comma, rest = str(column.dtype).partition(", ")
    return rest[:-1] if comma else None


def _unit_of(column: Column) -> str:
    return str(column.dtype).partition("[")[2].rstrip("]").partition(",")[0]


class _Properties:
    """What times and spans have in common."""

    __slots__ = ("_column",)
    _is_symbolic = True
    _surface = "DatetimeProperties"
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, column: Column) -> None:
        self._column = column

    def _part(self, name: str, *args: object) -> Column:
        return apply(f"dt_{name}", self._column, *args, call=f"`dt.{name}`")  # type: ignore[no-any-return]

    @property
    def unit(self) -> str:
        """The unit: `"s"`, `"ms"`, `"us"` or `"ns"`."""
        return _unit_of(self._column)

    def as_unit(self, unit: str, round_ok: bool = True) -> Column:
        """The same in another unit; what a coarser one cannot say is cut off towards the past."""
        call = f"{self._surface}.as_unit"
        only(call, unit=(unit, "s", "ms", "us", "ns"), round_ok=(round_ok, True))
        name, _, rest = str(self._column.dtype).partition("[")
        _, comma, tz = rest.partition(",")
        return apply("astype", self._column, f"{name}[{unit}{comma}{tz if comma else ']'}")  # type: ignore[no-any-return]

    def _round(self, way: str, freq: object, ambiguous: object, nonexistent: object) -> Column:
        call = f"{self._surface}.{way}"
        return apply(f"dt_{way}", self._column, frequency(freq, call), call=f"`dt.{way}`")  # type: ignore[no-any-return]

    def floor(self, freq: Any, ambiguous: Any = "raise", nonexistent: Any = "raise") -> Column:
        """The last multiple of a fixed frequency (`"D"`, `"15min"`) that is not later.

        With a time zone by its clocks; `ambiguous` and `nonexistent` as for `tz_localize`.
        """
        return self._round("floor", freq, ambiguous, nonexistent)

    def ceil(self, freq: Any, ambiguous: Any = "raise", nonexistent: Any = "raise") -> Column:
        """The first multiple of a fixed frequency that is not earlier; see `floor`."""
        return self._round("ceil", freq, ambiguous, nonexistent)

    def round(self, freq: Any, ambiguous: Any = "raise", nonexistent: Any = "raise") -> Column:
        """The nearest multiple of a fixed frequency, of two the even one; see `floor`."""
        return self._round("round", freq, ambiguous, nonexistent)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        unknown_attribute(self, self._surface, name, ())

    def __repr__(self) -> str:
        return f"<{self._surface} of a {self._column.dtype} column>"


class DatetimeProperties(_Properties):
    """`p["t"].dt` of times: their parts, as clocks in the column's time zone show them.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"t": pd.to_datetime(["2024-01-31", "2024-02-01"]), "x": [1, 2]})
    >>> def by_month(p):
    ...     return p.groupby(p["t"].dt.month)["x"].sum()
    >>> answer = RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": by_month}})
    >>> answer.to_pandas().to_dict()
    {1: 1, 2: 2}
    """

    __slots__ = ()

    @property
    def year(self) -> Column:
        """The year."""
        return self._part("year")

    @property
    def month(self) -> Column:
        """The month, January being 1."""
        return self._part("month")

    @property
    def day(self) -> Column:
        """The day of the month."""
        return self._part("day")

    @property
    def hour(self) -> Column:
        """The hour of the day."""
        return self._part("hour")

    @property
    def minute(self) -> Column:
        """The minute of the hour."""
        return self._part("minute")

    @property
    def second(self) -> Column:
        """The second of the minute."""
        return self._part("second")

    @property
    def microsecond(self) -> Column:
        """The microsecond of the second."""
        return self._part("microsecond")

    @property
    def nanosecond(self) -> Column:
        """The nanosecond of the microsecond."""
        return self._part("nanosecond")

    @property
    def quarter(self) -> Column:
        """The quarter of the year, from 1."""
        return self._part("quarter")

    @property
    def day_of_week(self) -> Column:
        """The day of the week, Monday being 0."""
        return self._part("day_of_week")

    dayofweek = day_of_week
    weekday = day_of_week

    @property
    def day_of_year(self) -> Column:
        """The day of the year, from 1."""
        return self._part("day_of_year")

    dayofyear = day_of_year

    @property
    def days_in_month(self) -> Column:
        """How many days the month has."""
        return self._part("days_in_month")

    daysinmonth = days_in_month

    @property
    def is_month_start(self) -> Column:
        """It is the first day of a month; false where missing."""
        return self._part("is_month_start")

    @property
    def is_month_end(self) -> Column:
        """It is the last day of a month; false where missing."""
        return self._part("is_month_end")

    @property
    def is_quarter_start(self) -> Column:
        """It is the first day of a quarter; false where missing."""
        return self._part("is_quarter_start")

    @property
    def is_quarter_end(self) -> Column:
        """It is the last day of a quarter; false where missing."""
        return self._part("is_quarter_end")

    @property
    def is_year_start(self) -> Column:
        """It is the first day of a year; false where missing."""
        return self._part("is_year_start")

    @property
    def is_year_end(self) -> Column:
        """It is the last day of a year; false where missing."""
        return self._part("is_year_end")

    @property
    def is_leap_year(self) -> Column:
        """The year has 366 days; false where missing."""
        return self._part("is_leap_year")

    @property
    def date(self) -> Column:
        """The day, as dates: `datetime.date` in the answer."""
        return self._part("date")

    def isocalendar(self) -> Partition:
        """Year, week and day of ISO 8601, as three columns."""
        from rlm_hypervisor.partition.frame import Partition

        made = Partition(self._part("iso_year")._frame.to_frame("year"))
        made["week"] = self._part("iso_week")
        made["day"] = self._part("iso_day")
        return made

    def month_name(self, locale: object = None) -> Column:
        """English names of months; other locales are refused."""
        only("DatetimeProperties.month_name", locale=(locale, None))
        return self._part("month_name")

    def day_name(self, locale: object = None) -> Column:
        """English names of days; other locales are refused."""
        only("DatetimeProperties.day_name", locale=(locale, None))
        return self._part("day_name")

    def strftime(self, date_format: str) -> Column:
        """Written by the codes of Python, e.g. `"%Y-%m"`; names are English."""
        if not isinstance(date_format, str):
            refuse(
                f"`DatetimeProperties.strftime` takes a string, not `{clipped(date_format)}`",
                "Give a format, such as '%Y-%m-%d'",
            )
        return self._part("strftime", date_format)

    def to_period(self, freq: Any = None) -> Periods:
        """The period that each time is in, of which names and starts can be taken: `.dt.to_period("M").astype(str)`."""
        from rlm_hypervisor.partition.periods import to_period

        return to_period(self._column, freq)

    @property
    def tz(self) -> Any:
        """The time zone, or None."""
        name = _zone_of(self._column)
        if name is None:
            return None
        if name == "UTC":
            return datetime.timezone.utc
        if name[:1] in "+-":
            sign = -1 if name[0] == "-" else 1
            hours, _, minutes = name[1:].partition(":")
            return datetime.timezone(sign * datetime.timedelta(hours=int(hours), minutes=int(minutes or 0)))
        import zoneinfo

        return zoneinfo.ZoneInfo(name)

    def tz_convert(self, tz: Any) -> Column:
        """The same instants by the clocks of another zone; with None in UTC, without a zone."""
        call = "DatetimeProperties.tz_convert"
        name = "UTC" if tz is None else zone(tz, call)
        moved = self._part("tz_convert", name)
        return moved.dt.tz_localize(None) if tz is None else moved

    def tz_localize(self, tz: Any, ambiguous: Any = "raise", nonexistent: Any = "raise") -> Column:
        """The same clock times, in a zone or (None) in none.

        Times that clocks show twice: `ambiguous="raise"`, `"NaT"`, True (daylight saving time) or False; those they
        never show: `nonexistent="raise"`, `"NaT"`, `"shift_forward"` or `"shift_backward"`. `"infer"`, arrays and
        spans are refused.
        """
        call = "DatetimeProperties.tz_localize"
        ambiguous, nonexistent = _choices(call, ambiguous, nonexistent)
        if tz is None:
            return self._part("tz_naive")
        return self._part("tz_localize", zone(tz, call), ambiguous, nonexistent)

    def normalize(self) -> Column:
        """Midnight of the day."""
        return self._round("floor", "D", "raise", "raise")

    def _round(self, way: str, freq: object, ambiguous: object, nonexistent: object) -> Column:
        call = f"DatetimeProperties.{way}"
        given = _choices(call, ambiguous, nonexistent)
        name = _zone_of(self._column)
        if name is None:
            return super()._round(way, freq, *given)
        clocks = self._part("tz_naive")
        rounded = apply(f"dt_{way}", clocks, frequency(freq, call), call=f"`dt.{way}`")
        return apply("dt_tz_localize", rounded, name, *given)  # type: ignore[no-any-return]


def _choices(call: str, ambiguous: object, nonexistent: object) -> tuple[object, object]:
    if not isinstance(ambiguous, bool):
        only(call, ambiguous=(ambiguous, "raise", "NaT"))
    only(call, nonexistent=(nonexistent, "raise", "NaT", "shift_forward", "shift_backward"))
    return ambiguous, nonexistent


class TimedeltaProperties(_Properties):
    """`p["d"].dt` of spans: their parts, and their length in seconds."""

    __slots__ = ()
    _surface = "TimedeltaProperties"

    def total_seconds(self) -> Column:
        """The length in seconds, as floats."""
        return self._part("total_seconds")

    @property
    def days(self) -> Column:
        """Whole days, rounded down."""
        return self._part("days")

    @property
    def seconds(self) -> Column:
        """Seconds beyond whole days."""
        return self._part("seconds")

    @property
    def microseconds(self) -> Column:
        """Microseconds beyond whole seconds."""
        return self._part("microseconds")

    @property
    def nanoseconds(self) -> Column:
        """Nanoseconds beyond whole microseconds."""
        return self._part("nanoseconds")

    @property
    def components(self) -> Partition:
        """Days, hours, minutes, seconds, milliseconds, microseconds and nanoseconds as columns."""
        from rlm_hypervisor.partition.frame import Partition

        made = Partition(self._part("days")._frame.to_frame("days"))
        for name in ("hours", "minutes", "seconds", "milliseconds", "microseconds"):
            made[name] = self._part(f"component_{name}")
        made["nanoseconds"] = apply("astype", self._part("nanoseconds"), "Int64")
        return made
