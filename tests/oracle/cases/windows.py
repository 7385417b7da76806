"""Functions of neighbouring rows, over all rows and within groups."""

_CUMULATIVE = ("cumsum", "cumprod", "cummin", "cummax")

RUNNING = "\n".join(
    [f'p["{column}"].{name}()' for name in _CUMULATIVE for column in ("y", "i", "f", "b")]
    + [f'p["x"].{name}()' for name in ("cumsum", "cummin", "cummax")]
    + [f'p["t"].{name}()' for name in ("cummin", "cummax")]
    + [f'p[["x", "i", "f"]].{name}()' for name in ("cumsum", "cummin", "cummax")]
    + [f'p.groupby("k")["{column}"].{name}()' for name in _CUMULATIVE for column in ("y", "f", "b")]
    + [f'p.groupby("g")["x"].{name}()' for name in ("cumsum", "cummin", "cummax")]
    + [f'p.groupby(["k", "b"])[["x", "i"]].{name}()' for name in ("cumsum", "cummin", "cummax")]
)

NEIGHBOURS = """
p["x"].shift()
p["x"].shift(-2)
p["x"].shift(0)
p["i"].shift(3)
p["i"].shift(1, fill_value=7)
p["x"].shift(1, fill_value=0.5)
p["k"].shift()
p["k"].shift(-1, fill_value="none")
p["t"].shift()
p["f"].shift(100)
p["x"].diff()
p["x"].diff(-1)
p["i"].diff()
p["f"].diff(2)
p["t"].diff()
p["y"].pct_change()
p["i"].pct_change(2)
p[["x", "i"]].shift(2)
p[["x", "f"]].diff()
p["x"].ffill()
p["x"].bfill()
p["k"].ffill()
p["t"].bfill()
p["x"].ffill(limit=1)
p["x"].bfill(limit=2)
p.ffill()
p.bfill(limit=1)
p[["x", "k"]].ffill()
p.groupby("k")["x"].shift()
p.groupby("k")["x"].shift(-1)
p.groupby("k")["i"].shift(2)
p.groupby("g")["k"].shift()
p.groupby("k")["x"].shift(1, fill_value=0.0)
p.groupby("k")["x"].diff()
p.groupby("g")["i"].diff()
p.groupby("k")["t"].diff()
p.groupby("k")["y"].pct_change()
p.groupby("g")["x"].ffill()
p.groupby("g")["x"].bfill(limit=1)
p.groupby("g")[["x", "k"]].ffill()
p.groupby(["k", "g"])["x"].shift()
p.groupby("k", dropna=False)["x"].shift()
p.groupby("x")["y"].cumsum()
p["x"] - p["x"].shift()
p[p["x"] > p["x"].shift()]
p[p["x"] > 0]["x"].diff()
p.sort_values("i")["x"].cumsum()
p.sort_values("x", ascending=False).groupby("k")["x"].cumsum()
p["x"].shift(-1).head(3)
p.assign(z=p["x"].cumsum()).head(4)
q = p.assign(z=p["y"].cumsum()); q[q["z"] > 3].head(5)
p.assign(z=p["i"].shift()).sort_values("z")
p.assign(z=p["y"].shift()).groupby("k")["z"].sum()
p["y"].diff().abs().sum()
p["y"].cumsum().cumsum()
p["y"].cumsum().shift().max()
(p["y"] - p["y"].mean()).cumsum()
p.assign(z=p["y"].cumsum()).drop_duplicates("k")
p.assign(z=p["y"].cumsum()).reset_index()
p.head(10)["x"].shift(2)
p["x"].reset_index(drop=True).shift()
"""

RANKS = """
p["x"].rank()
p["i"].rank()
p["k"].rank()
p["t"].rank()
p["b"].rank()
p["f"].rank(method="min")
p["i"].rank(method="max")
p["i"].rank(method="first")
p["i"].rank(method="dense")
p["i"].rank(ascending=False)
p["i"].rank(method="first", ascending=False)
p["x"].rank(na_option="top")
p["x"].rank(na_option="bottom", ascending=False)
p["x"].rank(pct=True)
p["i"].rank(method="dense", pct=True)
p[["x", "i"]].rank()
p[["x", "i", "k"]].rank(numeric_only=True)
p.groupby("k")["x"].rank()
p.groupby("k")["i"].rank(method="first", ascending=False)
p.groupby("g")["x"].rank(method="dense", na_option="bottom")
p.groupby("g")["x"].rank(pct=True)
p.groupby("g")["x"].rank(na_option="top", method="min")
p.groupby(["k", "b"])[["x", "y"]].rank()
"""

TRANSFORMED = (
    "\n".join(
        [
            f'p.groupby("k")["x"].transform("{name}"){" #2" if name == "var" else ""}'
            for name in ("sum", "mean", "min", "max", "std", "var", "first", "last")
        ]
        + [f'p.groupby("g")["x"].transform("{name}")' for name in ("count", "nunique", "size", "mean")]
        + [f'p.groupby("g")["i"].transform("{name}")' for name in ("sum", "mean", "min", "first")]
        + [f'p.groupby("g")["s"].transform("{name}")' for name in ("min", "last", "count")]
        + [f'p.groupby("g")["t"].transform("{name}")' for name in ("min", "max", "nunique")]
    )
    + """
p.groupby("g")["b"].transform("sum")
p.groupby("k", dropna=False)["x"].transform("sum")
p.groupby(["k", "g"])["x"].transform("mean")
p.groupby("x")["y"].transform("sum")
p.groupby("g")[["x", "y"]].transform("mean")
p.groupby("g")["x"].transform("sum", min_count=3)
p.groupby("g")["x"].transform("std", ddof=0)
p.groupby("g")["x"].transform("cumsum")
p.groupby("g")["x"].transform("rank")
p.groupby("g")["x"].transform("shift", 2)
p.groupby("g")["x"].transform(np.mean)
p.groupby("g").cumcount()
p.groupby("g").cumcount(ascending=False)
p.groupby("k", dropna=False)["x"].cumcount()
p.groupby("k").ngroup()
p.groupby(["g", "k"]).ngroup()
p.groupby("g").ngroup(ascending=False)
p.groupby("k", sort=False).ngroup()
p["x"] - p.groupby("k")["x"].transform("mean")
p[p["x"] > p.groupby("k")["x"].transform("mean")]
p.assign(m=p.groupby("g")["y"].transform("max")).groupby("k")["m"].sum()
p[p["x"] > 0].groupby("g")["y"].transform("sum")
p.groupby("g")["y"].transform("sum").sum()
p.sort_values("x").groupby("g")["y"].transform("first")
"""
)
