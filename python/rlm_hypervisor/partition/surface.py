"""The pandas surface, written once: every public name of pandas 3.1, and what to do instead of those not native.

The documentation and a test against the installed pandas are made from these tables. Names only: pandas is
not imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import NoReturn

from rlm_hypervisor._text import nearest
from rlm_hypervisor.partition.refusal import UNKNOWN_VALUES, refuse


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SURFACES: dict[str, frozenset[str]] = {
    "DataFrame": _names(
        """
        T abs add add_prefix add_suffix agg aggregate align all any apply asfreq asof assign
        astype at at_time attrs axes between_time bfill boxplot clip columns combine combine_first
        compare convert_dtypes copy corr corrwith count cov cummax cummin cumprod cumsum describe
        diff div divide dot drop drop_duplicates droplevel dropna dtypes duplicated empty eq
        equals eval ewm expanding explode ffill fillna filter first_valid_index flags floordiv
        from_arrow from_dict from_records ge get groupby gt head hist iat idxmax idxmin iloc index
        infer_objects info insert interpolate isetitem isin isna isnull items iterrows itertuples
        join keys kurt kurtosis last_valid_index le loc lt map mask max mean median melt
        memory_usage merge min mod mode mul multiply ndim ne nlargest notna notnull nsmallest
        nunique pct_change pipe pivot pivot_table plot pop pow prod product quantile query radd
        rank rdiv reindex reindex_like rename rename_axis reorder_levels replace resample
        reset_index rfloordiv rmod rmul rolling round rpow rsub rtruediv sample select
        select_dtypes sem set_axis set_flags set_index shape shift size skew sort_index
        sort_values sparse squeeze stack std style sub subtract sum swaplevel tail take
        to_clipboard to_csv to_dict to_excel to_feather to_hdf to_html to_iceberg to_json to_latex
        to_markdown to_numpy to_orc to_parquet to_period to_pickle to_records to_sql to_stata
        to_string to_timestamp to_xarray to_xml transform transpose truediv truncate tz_convert
        tz_localize unstack update value_counts values var where xs
        """
    ),
    "Series": _names(
        """
        T abs add add_prefix add_suffix agg aggregate align all any apply argmax argmin argsort
        array asfreq asof astype at at_time attrs autocorr axes between between_time bfill
        case_when cat clip combine combine_first compare convert_dtypes copy corr count cov cummax
        cummin cumprod cumsum describe diff div divide divmod dot drop drop_duplicates droplevel
        dropna dt dtype dtypes duplicated empty eq equals ewm expanding explode factorize ffill
        fillna filter first_valid_index flags floordiv from_arrow ge get groupby gt hasnans head
        hist iat idxmax idxmin iloc index infer_objects info interpolate is_monotonic_decreasing
        is_monotonic_increasing is_unique isin isna isnull item items keys kurt kurtosis
        last_valid_index le list loc lt map mask max mean median memory_usage min mod mode mul
        multiply name nbytes ndim ne nlargest notna notnull nsmallest nunique pct_change pipe plot
        pop pow prod product quantile radd rank rdiv rdivmod reindex reindex_like rename
        rename_axis reorder_levels repeat replace resample reset_index rfloordiv rmod rmul rolling
        round rpow rsub rtruediv sample searchsorted sem set_axis set_flags shape shift size skew
        sort_index sort_values sparse squeeze std str struct sub subtract sum swaplevel tail take
        to_clipboard to_csv to_dict to_excel to_frame to_hdf to_json to_latex to_list to_markdown
        to_numpy to_period to_pickle to_sql to_string to_timestamp to_xarray tolist transform
        transpose truediv truncate tz_convert tz_localize unique unstack update value_counts
        values var where xs
        """
    ),
    "DataFrameGroupBy": _names(
        """
        agg aggregate all any apply bfill boxplot corr corrwith count cov cumcount cummax cummin
        cumprod cumsum describe diff ewm expanding ffill filter first get_group groups head hist
        idxmax idxmin indices keys kurt last level max mean median min ndim ngroup ngroups nth
        nunique ohlc pct_change pipe plot prod quantile rank resample rolling sample sem shift
        size skew std sum tail take transform value_counts var
        """
    ),
    "SeriesGroupBy": _names(
        """
        agg aggregate all any apply bfill corr count cov cumcount cummax cummin cumprod cumsum
        describe diff dtype ewm expanding ffill filter first get_group groups head hist idxmax
        idxmin indices is_monotonic_decreasing is_monotonic_increasing keys kurt last level max
        mean median min ndim ngroup ngroups nlargest nsmallest nth nunique ohlc pct_change pipe
        plot prod quantile rank resample rolling sample sem shift size skew std sum tail take
        transform unique value_counts var
        """
    ),
    "Rolling": _names(
        """
        agg aggregate apply corr count cov exclusions first kurt last max mean median min ndim nunique
        pipe quantile rank sem skew std sum var
        """
    ),
    "Expanding": _names(
        """
        agg aggregate apply corr count cov exclusions first kurt last max mean median min ndim nunique
        pipe quantile rank sem skew std sum var
        """
    ),
    "ExponentialMovingWindow": _names("agg aggregate corr cov exclusions mean ndim online std sum var"),
    "StringMethods": _names(
        """
        capitalize casefold cat center contains count decode encode endswith extract extractall
        find findall fullmatch get get_dummies index isalnum isalpha isascii isdecimal isdigit
        islower isnumeric isspace istitle isupper join len ljust lower lstrip match normalize
        pad partition removeprefix removesuffix repeat replace rfind rindex rjust rpartition
        rsplit rstrip slice slice_replace split startswith strip swapcase title translate upper
        wrap zfill
        """
    ),
    "ListAccessor": _names("flatten len"),
    "StructAccessor": _names("dtypes explode field"),
    "DatetimeProperties": _names(
        """
        as_unit ceil date day day_name day_of_week day_of_year dayofweek dayofyear days_in_month
        daysinmonth floor freq hour is_leap_year is_month_end is_month_start is_quarter_end
        is_quarter_start is_year_end is_year_start isocalendar microsecond minute month month_name
        nanosecond normalize quarter round second strftime time timetz to_period to_pydatetime tz
        tz_convert tz_localize unit weekday year
        """
    ),
    "Resampler": _names(
        """
        agg aggregate apply asfreq bfill count exclusions ffill first get_group groups indices
        interpolate keys last level max mean median min ndim nearest ngroups nunique ohlc pipe prod
        quantile sem size std sum transform var
        """
    ),
    "TimedeltaProperties": _names(
        """
        as_unit ceil components days floor freq microseconds nanoseconds round seconds
        to_pytimedelta total_seconds unit
        """
    ),
}
"""pandas class -> its public names. Those that the class of ours has are native, all others are refused."""

OURS = {
    "DataFrame": "frame.Partition",
    "Series": "column.Column",
    "DataFrameGroupBy": "groupby.DataFrameGroupBy",
    "SeriesGroupBy": "groupby.SeriesGroupBy",
    "Rolling": "rolling.Rolling",
    "Expanding": "rolling.Expanding",
    "ExponentialMovingWindow": "weighted.ExponentialMovingWindow",
    "StringMethods": "strings.StringMethods",
    "ListAccessor": "nested.ListAccessor",
    "StructAccessor": "nested.StructAccessor",
    "DatetimeProperties": "datetimes.DatetimeProperties",
    "Resampler": "resampling.Resampler",
    "TimedeltaProperties": "datetimes.TimedeltaProperties",
}
"""pandas class -> our class in this folder that answers to its names."""


def native(surface: str) -> frozenset[str]:
    """The names of a pandas class that are native."""
    module, _, name = OURS[surface].partition(".")
    ours = getattr(importlib.import_module(f"rlm_hypervisor.partition.{module}"), name)
    return frozenset(name for name in SURFACES[surface] if hasattr(ours, name))


def refused(surface: str) -> frozenset[str]:
    """The names of a pandas class that are not native."""
    return SURFACES[surface] - native(surface)


_AFTERWARDS = "Do it on the answer: `result.to_pandas()`"
_ROWS = f"It needs the rows themselves, and {UNKNOWN_VALUES}"

ADVICE: dict[str, str] = {
    "applymap": "Write it with column arithmetic",
    "iterrows": "Write it with column arithmetic: there is no loop over rows in a native operation",
    "itertuples": "Write it with column arithmetic: there is no loop over rows in a native operation",
    "values": _ROWS,
    "to_numpy": _ROWS,
    "to_dict": _ROWS,
    "item": "It stays a scalar: use it in expressions or return it",
    "filter": "Select columns with `p[[...]]`, rows with `p[condition]`; groups after aggregating",
    "cat": "Categories count as plain values here; their codes are `pd.factorize(p['x'], sort=True)[0]`",
    "to_parquet": "Return the partition, and write the answer: `result.write.parquet(path)`",
    "to_csv": "Return the partition, and write the answer: `result.to_pandas().to_csv(path)`",
    "get_group": "Select its rows: `p[p['key'] == value]`",
    "groups": _ROWS,
    "indices": _ROWS,
    "time": "Times of the day have no type here; take `hour`, `minute` and `second`, or `strftime('%H:%M')`",
    "timetz": "Times of the day have no type here; take `hour`, `minute` and `second`, or `strftime('%H:%M')`",
    "to_period": "Periods have no type here; take their names, `dt.to_period('M').astype(str)`, or use `pd.Grouper`",
    "to_pydatetime": _ROWS,
    "to_pytimedelta": _ROWS,
    "freq": "Columns have no frequency",
}
"""What to do instead of the popular ones that are refused."""


def advice_for(name: str) -> str:
    """What to do instead of a pandas name that is not native."""
    return ADVICE.get(name, _AFTERWARDS)


def not_shadowed(surface: str, name: str, column: str) -> None:
    """Refuses the attribute of a column that is called as something of pandas, which pandas would give."""
    if name in SURFACES[surface]:
        refuse(
            f"`.{name}` is `{surface}.{name}` in pandas, which is not native in this version, and not the column",
            f"The column of that name is `{column}`",
            call=name,
        )


class UnknownAttribute(AttributeError):
    """An attribute that neither pandas nor the columns have; tracing makes it an error of the task."""


def unknown_attribute(owner: object, surface: str, name: str, columns: Iterable[object]) -> NoReturn:
    """The end of a `__getattr__`: refused by name where pandas has it, else an ordinary AttributeError."""
    table = SURFACES.get(surface, frozenset())
    if name in table:
        call = f"{surface}.{name}"
        refuse(f"`{call}` is not native in this version", advice_for(name), call=call)
    names = [label for label in columns if isinstance(label, str)]
    near = nearest(name, [*names, *(known for known in table if hasattr(type(owner), known))])
    hint = f"did you mean {near!r}?" if near else f"columns: {', '.join(names[:20]) or 'none'}"
    what = f"`{surface}`" if table else surface
    raise UnknownAttribute(f"{what} has no column or method {name!r}: {hint}", name=name, obj=owner)
