"""Order statistics, moments, places, relations, counts and descriptions: of whole columns, of frames, of groups."""

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")

ORDER = "\n".join(
    [f'p["{c}"].median()' for c in "xyifbt"]
    + [f'p["{c}"].quantile({q})' for c in "xift" for q in (0, 0.25, 0.4, 1)]
    + [f'p["{c}"].quantile(0.37, interpolation="{way}")' for c in "xit" for way in _INTERPOLATIONS]
    + [f'p["{c}"].quantile(0.5, "{way}")' for c in "xi" for way in _INTERPOLATIONS]
    + [f'p.groupby("k")["{c}"].median()' for c in "xifbt"]
    + [f'p.groupby("k")["{c}"].quantile({q})' for c in "xf" for q in (0, 0.3, 0.5, 1)]
    + [f'p.groupby("g")["y"].quantile(0.4, interpolation="{way}")' for way in _INTERPOLATIONS]
    + [f'p.groupby("g")["y"].quantile(0.5, interpolation="{way}")' for way in _INTERPOLATIONS]
)

QUANTILES = """
p["x"].quantile()
p["x"].quantile([0.1, 0.5, 0.9])
p["i"].quantile([0.5])
p["t"].quantile([0.25, 0.75])
p["i"].quantile([0.25, 0.5], interpolation="lower")
p[["x", "i"]].median()
p[["x", "y"]].quantile()
p[["x", "y"]].quantile(0.3)
p[["x", "i"]].quantile([0.25, 0.75])
p[["x", "y"]].quantile([0.5], interpolation="nearest")
p[["x", "y", "s"]].quantile(0.2, numeric_only=True)
p["x"].quantile(0.9) - p["x"].quantile(0.1)
p[p["x"] > p["x"].median()]
p.groupby("k")[["x", "y"]].median()
p.groupby(["k", "g"])["x"].median()
p.groupby("k", as_index=False)["x"].median()
p.groupby("k", sort=False)["x"].quantile(0.75)
p.groupby("k")[["x", "y"]].quantile(0.75)
p.groupby("k").median(numeric_only=True)
p.groupby("k")["x"].agg(["median", "quantile", "mean", "sum"])
p.groupby("k").agg(m=("x", "median"), s=("x", "std"), n=("i", "median"))
"""

_MOMENTS = ("sem", "skew", "kurt")

MOMENTS = "\n".join(
    [f'p["{c}"].{name}()' for c in "xyif" for name in _MOMENTS]
    + [f'p.groupby("k")["{c}"].{name}()' for c in "xyif" for name in _MOMENTS]
    + [f'p[["x", "y"]].{name}()' for name in (*_MOMENTS, "kurtosis", "prod", "product")]
    + ['p["x"].sem(ddof=0)', 'p.groupby("k")["x"].sem(ddof=2)', 'p["b"].skew()', 'p["y"].kurtosis()']
)

PRODUCTS = """
p["y"].prod()
p["i"].prod()
p["b"].prod()
p["f"].prod()
p["y"].product()
p["y"].prod(min_count=3)
p["y"].prod(min_count=100)
(p["x"] / 8).prod()
p.groupby("k")["y"].prod()
p.groupby("k")["i"].prod()
p.groupby("k")["b"].prod()
p.groupby("k")["f"].prod()
p.groupby("k")["y"].prod(min_count=5)
"""

TRUTHS = """
p["x"].any()
p["x"].all()
p["i"].any()
p["i"].all()
p["b"].any()
p["b"].all()
p["s"].any()
p["s"].all()
p["x"].any(skipna=False)
p["x"].all(skipna=False)
(p["x"] > 3).any()
(p["x"] > 3).all()
(p["x"] > 1e9).any()
p[["x", "i"]].any()
p[["x", "i", "s"]].all()
p[["x", "b"]].any(axis=None)
p[["x", "b"]].all(axis=None)
p.all(bool_only=True)
p.groupby("k")["x"].any()
p.groupby("k")["x"].all()
p.groupby("k")["b"].any()
p.groupby("k")["b"].all()
p.groupby("k")["s"].all()
p.groupby("k")["i"].any()
p.groupby("k")[["x", "b"]].any()
"""

STRICT = "\n".join(
    [
        f'p["{c}"].{name}(skipna=False)'
        for c in "xif"
        for name in ("sum", "mean", "min", "max", "std", "var", "median", "sem", "skew", "kurt")
    ]
    + [
        f'p.groupby("k")["{c}"].{name}(skipna=False)'
        for c in "xy"
        for name in (
            "sum",
            "mean",
            "min",
            "max",
            "std",
            "median",
            "sem",
            "skew",
            "kurt",
            "prod",
            "first",
            "last",
        )
    ]
    + ['p[["x", "y"]].mean(skipna=False)', 'p["t"].min(skipna=False)', 'p["t"].mean(skipna=False)']
)

PLACES = """
p["x"].idxmax()
p["x"].idxmin()
p["i"].idxmax()
p["i"].idxmin()
p["b"].idxmax()
p["t"].idxmin()
p["f"].idxmax()
p["x"].argmax()
p["i"].argmin()
p["i"].idxmax(skipna=False)
p["x"].idxmin(skipna=False)
p["x"].argmin(skipna=False)
p[p["x"] > 0]["i"].idxmax()
p[p["x"] > 0]["i"].argmax()
p.sort_values("i")["x"].idxmax()
p.sort_values("i")["x"].argmax()
p.sort_values("i", ignore_index=True)["x"].idxmin()
p.groupby("k")["i"].sum().idxmax()
p.groupby("k")["i"].sum().argmin()
p[["x", "i"]].idxmax()
p[["x", "i"]].idxmin()
p.groupby("k")["i"].idxmax()
p.groupby("k")["i"].idxmin()
p.groupby("g")["x"].idxmax()
p.groupby("k")[["x", "i"]].idxmin()
p.groupby("k", as_index=False)["i"].idxmax()
p[p["i"] > 0].groupby("g")["i"].idxmax()
p.sort_values("i").groupby("g")["i"].idxmax()
p.groupby("k")["i"].agg(["idxmax", "max"])
"""

RELATIONS = """
p["x"].corr(p["y"])
p["x"].corr(p["i"])
p["x"].corr(p["f"])
p["x"].corr(p["b"])
p["x"].corr(p["x"])
p["x"].corr(p["y"], min_periods=30)
p["x"].cov(p["y"]) #2
p["x"].cov(p["i"], ddof=0) #2
p["x"].cov(p["y"], min_periods=30) #2
p[["x", "y", "i"]].corr()
p[["x", "y", "i"]].cov() #2
p[["x", "y", "i"]].corr(min_periods=30)
p.corr(numeric_only=True)
p[["x", "y"]].corrwith(p["i"])
p.groupby("k")["x"].corr(p["y"])
p.groupby("k")["x"].cov(p["y"]) #2
p.groupby(["k", "g"])["y"].corr(p["x"])
p.groupby("k")["x"].corr(p["y"]) ** 2
"""

COUNTS = """
p["k"].value_counts()
p["g"].value_counts()
p["x"].value_counts()
p["b"].value_counts()
p["t"].value_counts()
p["k"].value_counts(sort=False)
p["k"].value_counts(ascending=True)
p["k"].value_counts(dropna=False)
p["k"].value_counts(normalize=True)
p["k"].value_counts(normalize=True, dropna=False, ascending=True)
p["k"].value_counts().head(2)
p["k"].value_counts().reset_index()
p["k"].value_counts().to_frame()
(p["x"] > 1).value_counts()
p[["k", "g"]].value_counts()
p[["k", "b"]].value_counts(sort=False)
p.value_counts(["g", "b"])
p.value_counts("k")
p.value_counts(subset=["k", "g"], normalize=True)
p[["k", "g"]].value_counts(ascending=True, dropna=False)
p.groupby("g")["k"].value_counts().sort_index()
p.groupby("g")["k"].value_counts(sort=False).sort_index()
p.groupby("g")["k"].value_counts(ascending=True).sort_index()
p.groupby("g")["k"].value_counts(dropna=False).sort_index()
p.groupby("g", sort=False)["k"].value_counts()
p.groupby("g", sort=False)["k"].value_counts(ascending=True, dropna=False)
p.groupby(["g", "b"], sort=False)["k"].value_counts(sort=False)
p.groupby("g")[["k", "b"]].value_counts().sort_index()
p.groupby("g")[["k", "b", "s"]].value_counts(subset=["k", "b"]).sort_index()
p.groupby("g", as_index=False)["k"].value_counts().sort_values(["g", "k"], ignore_index=True)
p.groupby("g")["k"].value_counts(normalize=True).sort_index()
p.groupby("g", as_index=False)["k"].value_counts(normalize=True, dropna=False).sort_values(["g", "k"], ignore_index=True)
p.groupby(["k", "b"])["g"].value_counts(normalize=True, sort=False)
p.groupby("k", dropna=False)["g"].value_counts()
p["k"].mode()
p["x"].mode()
p["i"].mode()
p["b"].mode()
p["t"].mode()
p["k"].mode(dropna=False)
p["x"].mode(dropna=False)
p[["g"]].mode()
p["k"].unique()
p["x"].unique()
p["i"].unique()
"""

DESCRIPTIONS = """
p["x"].describe()
p["i"].describe()
p["f"].describe()
p["x"].describe(percentiles=[0.1, 0.333])
p["x"].describe(percentiles=[])
p[["x", "i"]].describe()
p[["x", "y", "k"]].describe()
p[["x", "y"]].describe(percentiles=[0.9])
p["t"].describe()
p["s"].describe()
p["k"].describe()
p["b"].describe()
p["t"].describe(percentiles=[0.1])
(p["t"] - p["t"].min()).describe()
p.describe()
p.describe(include="all")
p[["x", "t"]].describe()
p[["s", "b"]].describe()
p[["x", "s", "t"]].describe(include=["datetime", "number"])
p[["k", "i", "b"]].describe(exclude="number")
p[["k", "s", "i"]].describe(include=["str"])
p.max()
p.agg({"x": "max", "k": "min"})
p[["i", "k"]].agg(["min", "max", "count"])
p[["x", "i", "s"]].describe(include="number")
p[["x", "i", "s"]].describe(include=[np.number])
p.groupby("k")["x"].describe()
p.groupby("k")["i"].describe(percentiles=[0.2])
p.groupby("k")[["x", "y"]].describe()
p.groupby("k", as_index=False)["x"].describe()
p.groupby("k")["x"].ohlc()
p.groupby("k")["i"].ohlc()
p.groupby("k")[["x", "y"]].ohlc()
"""

FUNCTIONS = """
p["x"].agg("median")
p["x"].agg(["median", "sem", "skew"])
p["x"].agg(lambda s: s.max() - s.min())
p["x"].agg(["sum", lambda s: s.max()])
p[["x", "y"]].agg(lambda s: s.mean())
p[["x", "y"]].agg(["median", "prod"])
p[["x", "y"]].agg({"x": "median", "y": lambda s: s.quantile(0.9)})
p.groupby("k")["x"].agg(lambda s: s.max() - s.min())
p.groupby("k")["x"].agg(lambda s: s.quantile(0.9))
p.groupby("k")["x"].agg(lambda s: (s > 3).sum())
p.groupby("k")["x"].agg(lambda s: s.abs().sum() / s.size)
p.groupby("k")["i"].agg(lambda s: s.iloc[0])
p.groupby("k")["i"].agg(lambda s: s.iloc[-1] - s.iloc[0])
p.groupby("k")["x"].agg(["sum", lambda s: s.max(), lambda s: s.min()])
p.groupby("k")["x"].agg(["sum", ("spread", lambda s: s.max() - s.min())])
p.groupby("k")["x"].agg(low=lambda s: s.quantile(0.1), high=lambda s: s.quantile(0.9))
p.groupby("k").agg(q=("x", lambda s: s.quantile(0.9)), n=("i", "sum"))
p.groupby("k").agg({"x": lambda s: s.mean() * 2, "i": "max"})
p.groupby("k").agg({"x": ["mean", lambda s: s.isna().sum()], "i": "max"})
p.groupby("k")[["x", "i"]].agg(lambda s: s.max() - s.min())
p.groupby("k", as_index=False)["x"].agg(lambda s: s.max() - s.min())
p.groupby("k")["x"].agg(np.median)
p.groupby("k")["x"].agg(["mean", np.median, np.prod])
np.median(p["i"])
np.median(p["x"])
np.percentile(p["i"], 40)
np.percentile(p["x"], 40)
np.quantile(p["i"], 0.4)
np.quantile(p["i"], 0.4, method="lower")
np.nanpercentile(p["y"], 40)
np.nanmedian(p["y"])
np.nansum(p["y"])
np.nanmean(p["y"])
np.nanmax(p["y"])
np.nanstd(p["y"])
np.ptp(p["i"])
np.any(p["b"])
np.all(p["b"])
np.prod(p["y"])
np.argmax(p["i"])
np.argmin(p["x"])
"""
