"""Windows that move over the rows, weighted ones, rows by position."""

ROLLING = (
    "\n".join(
        [
            f'p["{column}"].rolling({arguments}).{call}'
            for column, arguments in (
                ("x", "3"),
                ("i", "4, min_periods=1"),
                ("f", "5, min_periods=2, center=True"),
                ("y", '3, closed="both"'),
                ("y", '3, min_periods=1, closed="left"'),
                ("y", '2, min_periods=1, closed="neither"'),
                ("x", "100, min_periods=0"),
            )
            for call in ("sum()", "mean()", "min()", "max()", "count()", "median()")
        ]
        + [
            f'p["{column}"].rolling({arguments}).{call}'
            for column, arguments in (("y", "3"), ("f", "4, min_periods=1"))
            for call in (
                "std()",
                "var() #2",
                "std(ddof=0)",
                "quantile(0.3)",
                'quantile(0.5, interpolation="lower")',
                'quantile(0.25, interpolation="higher")',
                'quantile(0.6, interpolation="midpoint")',
                'quantile(0.7, interpolation="nearest")',
            )
        ]
        + [
            f'p["{column}"].expanding({arguments}).{call}'
            for column, arguments in (("x", ""), ("y", "3"))
            for call in ("sum()", "mean()", "min()", "max()", "count()", "median()", "quantile(0.4)")
        ]
        + [f'p["y"].expanding().{call}' for call in ("std()", "var() #2", "var(ddof=0) #2")]
    )
    + """
p["k"].rolling(3).count()
p["b"].rolling(2).sum()
p[["x", "i"]].rolling(3).mean()
p.rolling(2).max(numeric_only=True)
p[["x", "y"]].expanding(2).sum()
p["x"].rolling(3).agg("mean")
p["x"].rolling(1).mean()
p["y"].rolling(3).apply(np.max)
p["y"].rolling(4).apply(np.std)
p["y"].rolling(3).agg("sum")
p[p["x"] > 0]["y"].rolling(3).sum()
p.sort_values("i")["y"].rolling(4).mean()
p["y"] - p["y"].rolling(3, min_periods=1).mean()
p.assign(z=p["y"].rolling(3).mean()).tail(4)
p["y"].rolling(3).mean().max()
p.groupby("k")["x"].rolling(3).sum()
p.groupby("k")["x"].rolling(2, min_periods=1).mean()
p.groupby("g")["x"].rolling(3, center=True, min_periods=1).max()
p.groupby("g")["i"].rolling(2).count()
p.groupby("g")[["x", "y"]].rolling(2).sum()
p.groupby(["k", "g"])["y"].rolling(2).mean()
p.groupby("k")["x"].expanding().sum()
p.groupby("g")["y"].expanding(2).max()
p.groupby("g")["y"].rolling(3, min_periods=1).median()
"""
)

SHAPES = (
    "\n".join(
        f'p["{column}"].{windows}.{call}'
        for column, windows in (
            ("x", "rolling(4)"),
            ("y", "rolling(6, min_periods=3)"),
            ("f", "rolling(5, min_periods=1, center=True)"),
            ("y", "expanding()"),
        )
        for call in ("skew()", "kurt()", "first()", "last()", "nunique()", "sem()")
    )
    + "\n"
    + "\n".join(
        f'p["{column}"].{windows}.rank({arguments})'
        for column, windows in (("x", "rolling(4, min_periods=2)"), ("i", "expanding()"))
        for arguments in ("", '"min"', '"max", pct=True', "ascending=False", "ascending=False, pct=True")
    )
    + """
p["g"].rolling(5, closed="both").rank()
p["i"].rolling(3, min_periods=0).nunique()
p["x"].rolling(3, min_periods=0).first()
p["x"].rolling(3).agg(["sum", "mean", "max"])
p["x"].rolling(3, min_periods=1).agg({"total": "sum", "top": "max"})
p[["x", "y"]].rolling(3).agg(["min", "median"])
p[["x", "i"]].rolling(2).agg({"x": "sum", "i": "max"})
p[["x", "i"]].expanding().agg({"x": ["sum", "std"], "i": "max"})
p["y"].expanding().agg(["mean", np.max])
p["x"].ewm(span=4).agg(["mean", "std"])
p["x"].rolling(2).pipe(lambda w: w.max() - w.min())
p.groupby("g")["y"].rolling(4, min_periods=3).skew()
p.groupby("g")["y"].rolling(5).kurt()
p.groupby("g")["x"].rolling(3, min_periods=1).rank(pct=True)
p.groupby("k")["i"].expanding().nunique()
p.groupby("g")["x"].rolling(2).agg(["sum", "max"])
p.groupby("g")[["x", "y"]].rolling(2).agg({"x": "sum", "y": "max"})
"""
)

WEIGHTED = (
    "\n".join(
        f'p["{column}"].ewm({arguments}).{call}'
        for column, arguments in (
            ("x", "alpha=0.5"),
            ("y", "span=5"),
            ("i", "com=2, adjust=False"),
            ("f", "halflife=3, min_periods=3"),
            ("x", "alpha=0.3, ignore_na=True"),
            ("y", "alpha=0.7, adjust=False, ignore_na=True"),
        )
        for call in ("mean()", "std()", "var() #2", "var(bias=True) #2")
    )
    + """
p["x"].ewm(alpha=0.4).sum()
p[["x", "y"]].ewm(span=3).mean()
p.groupby("k")["x"].ewm(alpha=0.5).mean()
p["y"].ewm(alpha=1).mean()
"""
)

POSITIONS = """
p.tail()
p.tail(3)
p.tail(0)
p.tail(1000)
p.tail(-2)
p["x"].tail(4)
p[p["x"] > 0].tail(3)
p.sort_values("x").tail(2)
p.iloc[:5]
p.iloc[-3:]
p.iloc[2:7]
p.iloc[:-3]
p.iloc[3:-3]
p.iloc[-5:-2]
p.iloc[-5:4]
p.iloc[7:2]
p.iloc[5:]
p.iloc[:, 0]
p.iloc[1:4, [0, 2]]
p.iloc[:3, 1:4]
p["x"].iloc[-3:]
p["x"].iloc[2:5]
p.tail(10)["x"].sum()
p.duplicated()
p.duplicated("k")
p.duplicated(["k", "g"], keep="last")
p.duplicated(subset=["g"], keep=False)
p["x"].duplicated()
p["i"].duplicated(keep="last")
p["k"].duplicated(keep=False)
p[~p.duplicated("k")]
p["x"].is_unique
p["i"].is_unique
p["x"].is_monotonic_increasing
p["t"].is_monotonic_decreasing
p["y"].cumsum().is_monotonic_increasing
p["x"].interpolate()
p["x"].interpolate(limit=1)
p[["x", "y"]].interpolate()
"""
