"""Windows of time, and columns selected from windows."""

_CLOSED = ("right", "left", "both", "neither")
_SORTED = 'p[p["t"].notna()].sort_values("t", kind="stable")'

CLOSED = "\n".join(
    [f'{_SORTED}.set_index("t")["x"].rolling("3h", closed="{closed}").sum() #2' for closed in _CLOSED]
    + [f'{_SORTED}.set_index("t")["x"].rolling("1D", closed="{c}", min_periods=2).max()' for c in _CLOSED]
    + [f'{_SORTED}.set_index("t")["i"].rolling("4h", center=True, closed="{c}").count()' for c in _CLOSED]
)
WHAT = "\n".join(
    f'{_SORTED}.set_index("t")["x"].rolling("90min").{what}() #2'
    for what in ("mean", "min", "median", "std", "var", "count")
)
FORMS = f"""
{_SORTED}[["t", "x", "i"]].rolling("2h", on="t").sum()
{_SORTED}.rolling("2h", on="t")["x"].mean() #2
{_SORTED}.rolling("1D12h", on="t")[["x", "y"]].max()
{_SORTED}.rolling("1D", on="t").y.min()
{_SORTED}[["x", "t"]].rolling("1D", on="t", closed="left").sum(numeric_only=True)
{_SORTED}.set_index("t")[["x", "i"]].rolling(pd.Timedelta(hours=5)).sum()
{_SORTED}.set_index("t")["x"].rolling(pd.offsets.Hour(3)).sum()
p[p["t"].notna()].sort_values("t", kind="stable", ascending=False).set_index("t")["x"].rolling("6h").sum()
{_SORTED}.set_index("t")["x"].rolling("7D").agg("mean") #2
{_SORTED}.groupby("k").rolling("6h", on="t")["x"].sum()
{_SORTED}.groupby("k").rolling("6h", on="t")[["x", "i"]].mean() #2
{_SORTED}[["k", "t", "x", "i"]].groupby("k").rolling("1D", on="t").sum()
{_SORTED}.set_index("t").groupby("g")["x"].rolling("12h", closed="both").sum()
{_SORTED}.set_index("t").groupby("k")[["x", "y"]].rolling("12h", min_periods=2).max()
{_SORTED}.groupby(["g", "b"]).rolling("2D", on="t")["i"].count()
p.rolling(3)["x"].sum()
p.rolling(2, min_periods=1)[["x", "i"]].max()
p.groupby("k").rolling(2, min_periods=1)["x"].sum()
p.groupby("k").rolling(3)[["x", "y"]].min()
p.expanding()["x"].max()
p.ewm(span=3).x.mean() #2
p.groupby("g").expanding()["x"].sum()
"""
