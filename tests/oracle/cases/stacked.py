"""Several rows for each group: quantiles, correlations, covariances."""

GROUPS = """
p.groupby("k")["x"].quantile([0.25, 0.75])
p.groupby("k")["y"].quantile([0.5], interpolation="lower")
p.groupby(["k", "g"])["x"].quantile([0.1, 0.5, 0.9])
p.groupby("k", sort=False)["x"].quantile((0.9, 0.1))
p.groupby("k")[["x", "i"]].quantile([0.25, 0.75])
p[["k", "x", "y"]].groupby("k").quantile([0, 1])
p.groupby("k")["x"].quantile([0.25, 0.75]).reset_index()
p.groupby("k")[["x", "y"]].corr() #2
p.groupby("k")[["x", "y", "i"]].cov() #2
p.groupby(["k", "b"])[["x", "y"]].corr(min_periods=3) #2
p[["k", "x", "y", "s"]].groupby("k").corr(numeric_only=True) #2
p[["g", "x", "y"]].groupby("g").cov() #2
"""
