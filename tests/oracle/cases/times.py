"""Times: the dt accessor."""

PARTS = """
p["t"].dt.year
p["t"].dt.month
p["t"].dt.day
p["t"].dt.hour
p["t"].dt.minute
p["t"].dt.second
p["t"].dt.microsecond
p["t"].dt.nanosecond
p["t"].dt.quarter
p["t"].dt.dayofweek
p["t"].dt.day_of_week
p["t"].dt.weekday
p["t"].dt.dayofyear
p["t"].dt.day_of_year
p["t"].dt.days_in_month
p["t"].dt.daysinmonth
p["t"].dt.is_month_start
p["t"].dt.is_month_end
p["t"].dt.is_quarter_start
p["t"].dt.is_quarter_end
p["t"].dt.is_year_start
p["t"].dt.is_year_end
p["t"].dt.is_leap_year
p["t"].dt.date
p["t"].dt.normalize()
p["t"].dt.month_name()
p["t"].dt.day_name()
p.assign(year=p["t"].dt.year, hour=p["t"].dt.hour)
p[p["t"].dt.hour > 12]
p[p["t"].dt.day_name() == "Thursday"]
p.groupby(p["t"].dt.day)["x"].sum()
p.groupby([p["t"].dt.month, p["t"].dt.hour])["i"].sum()
p.groupby(p["t"].dt.floor("6h"))["x"].mean()
p.groupby(p["t"].dt.strftime("%Y-%m"))["x"].sum()
p["t"].dt.hour.mean()
p["t"].dt.unit
"""

ROUNDING = """
p["t"].dt.floor("D")
p["t"].dt.ceil("D")
p["t"].dt.round("D")
p["t"].dt.floor("h")
p["t"].dt.round("h")
p["t"].dt.ceil("15min")
p["t"].dt.round("7h")
p["t"].dt.floor("2D")
p["t"].dt.round("1h30min")
p["t"].dt.floor("us")
p["t"].dt.floor("100ns")
p["t"].dt.round("ms")
p["t"].dt.ceil(pd.Timedelta("5min"))
p["t"].dt.floor(pd.offsets.Hour(3))
p["t"].dt.as_unit("s")
p["t"].dt.as_unit("ms")
p["t"].dt.as_unit("ns")
"""

TEXT = """
p["t"].dt.strftime("%Y-%m-%d")
p["t"].dt.strftime("%Y-%m-%d %H:%M:%S")
p["t"].dt.strftime("%d.%m.%y %I:%M %p")
p["t"].dt.strftime("%a %A %w %b %B %j %U %W %G-W%V-%u")
p["t"].dt.strftime("%f %% %c %x %X %D %F %T %R %e")
p["t"].dt.strftime("%z%Z|")
p["t"].dt.strftime("")
"""

ZONES = """
p["t"].dt.tz_localize("UTC")
p["t"].dt.tz_localize("Europe/Berlin")
p["t"].dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata")
p["t"].dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata").dt.hour
p["t"].dt.tz_localize("America/New_York").dt.tz_convert("UTC").dt.tz_localize(None)
p["t"].dt.tz_localize("America/New_York").dt.tz_convert(None)
p["t"].dt.tz_localize("America/New_York").dt.normalize()
p["t"].dt.tz_localize("America/New_York").dt.floor("6h")
p["t"].dt.tz_localize("Australia/Lord_Howe").dt.date
p["t"].dt.tz_localize("Asia/Tokyo").dt.strftime("%H %z %Z")
"""

SPANS = """
(p["t"] - p["t"].min()).dt.total_seconds()
(p["t"] - p["t"].max()).dt.days
(p["t"] - p["t"].max()).dt.seconds
(p["t"] - p["t"].max()).dt.microseconds
(p["t"] - p["t"].max()).dt.nanoseconds
(p["t"] - p["t"].max()).dt.components
(p["t"] - p["t"].max()).dt.floor("h")
(p["t"] - p["t"].max()).dt.round("1D")
(p["t"] - p["t"].max()).dt.as_unit("s")
(p["t"] - p["t"].shift()).dt.total_seconds()
p["t"].diff().dt.total_seconds().mean()
"""

NUMBERS = """
pd.to_datetime(p["i"], unit="s")
pd.to_datetime(p["i"], unit="D")
pd.to_datetime(p["i"])
pd.to_datetime(p["i"], unit="ms", utc=True)
pd.to_datetime(p["t"])
pd.to_datetime(p["t"], utc=True)
pd.to_timedelta(p["i"], unit="h")
pd.to_timedelta(p["i"])
p["t"] + pd.to_timedelta(p["i"], unit="D")
(p["t"] - p["t"].min()).sum()
(p["t"] - p["t"].min()).mean()
pd.to_datetime(p["t"].dt.strftime("%d.%m.%Y %H:%M"), format="%d.%m.%Y %H:%M").dt.hour
pd.to_datetime(p["k"], format="%Y-%m-%d", errors="coerce").isna()
pd.to_datetime(p.assign(year=2000 + p["i"], month=1, day=2)[["year", "month", "day"]])
p[p["t"] >= "2024-02-29"]
p[p["t"].between("2024-02-29", "2024-03-01")]
"""

BINS = """
p.resample("D", on="t")["x"].sum()
p.resample("D", on="t")["x"].mean()
p.resample("D", on="t").size()
p.resample("h", on="t")["x"].count()
p.resample("15min", on="t")["y"].sum()
p.resample("7h", on="t")["y"].sum()
p.resample("7h", on="t", closed="right", label="right")["y"].sum()
p.resample("3h", on="t", closed="right")["y"].count()
p.resample("6h", on="t", label="right")["x"].max()
p.resample("W", on="t")["x"].sum()
p.resample("W-MON", on="t", closed="left", label="left")["x"].sum()
p.resample("MS", on="t")["x"].sum()
p.resample("ME", on="t")["x"].sum()
p.resample("QS", on="t")["x"].min()
p.resample("YE", on="t")["x"].std()
p.resample("h", on="t")["x"].agg(["sum", "mean", "count"])
p.resample("h", on="t").agg({"x": "sum", "y": "max"})
p.resample("h", on="t").agg(total=("x", "sum"), rows=("y", "size"))
p.resample("h", on="t")["x"].ohlc()
p.resample("h", on="t")[["x", "y"]].sum()
p.resample("h", on="t")["k"].first()
p.resample("h", on="t")["k"].nunique()
p.resample("2D", on="t").count()
p.groupby(pd.Grouper(key="t", freq="D"))["x"].sum()
p.groupby(pd.Grouper(key="t", freq="h"))[["x", "y"]].mean()
p.groupby(pd.Grouper(key="t", freq="ME")).agg(total=("x", "sum"))
p.groupby(["k", pd.Grouper(key="t", freq="D")])["x"].sum()
p.groupby([pd.Grouper(key="t", freq="5h"), "k"])["x"].sum()
p.resample("D", on="t")["x"].sum().reset_index()
"""

OFFSETS = """
p["t"] + pd.DateOffset(months=1)
p["t"] - pd.DateOffset(months=1, days=2, hours=3)
p["t"] + pd.DateOffset(years=1)
p["t"] + pd.DateOffset(days=1)
p["t"] + pd.offsets.MonthEnd()
p["t"] + pd.offsets.MonthEnd(0)
p["t"] - pd.offsets.MonthEnd(2)
p["t"] + pd.offsets.MonthBegin()
p["t"] - pd.offsets.MonthBegin()
p["t"] + pd.offsets.MonthBegin(0)
p["t"] + pd.offsets.Day(2)
p["t"] - pd.offsets.Hour(3)
(p["t"] - p["t"].max()) // pd.Timedelta("7h")
(p["t"] - p["t"].max()) % pd.Timedelta("7h")
(p["t"] - p["t"].max()) * 1.5
(p["t"] - p["t"].max()) / 2
(p["t"] - p["t"].max()) / 2.5
"""
