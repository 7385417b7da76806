"""More than one table: a partition and its own groups, rows one after the other, columns to rows."""

from __future__ import annotations

MERGES = """
p.merge(p.groupby("k", as_index=False).agg(m=("x", "max")), on="k")
p.merge(p.groupby("k", as_index=False).agg(m=("x", "max")), on="k", how="left")
p.merge(p.groupby("k", as_index=False, dropna=False).agg(m=("x", "max")), how="left")
p.merge(p.groupby("g", as_index=False).agg(m=("x", "max")), on="g", how="right")
p.merge(p.groupby("s", as_index=False).agg(m=("x", "count")), on="s")
p.merge(p.groupby("t", as_index=False).agg(m=("x", "min")), on="t", how="outer")
p.merge(p.groupby("x", as_index=False).agg(m=("y", "min")), on="x", how="outer")
p.merge(p.groupby(["k", "b"], as_index=False).agg(m=("y", "min")), on=["k", "b"], sort=True)
p.merge(p.groupby("k")[["y"]].min(), left_on="k", right_index=True, suffixes=("", "_least"))
p.join(p.groupby("k")["x"].max().rename("m"), on="k")
p.groupby("k")[["x"]].max().join(p[p["x"] > 1].groupby("k")[["y"]].max())
p.groupby("k", as_index=False)["x"].max().merge(p[["k"]].drop_duplicates(), how="cross", suffixes=("", "_2"))
p[["k", "x"]].head(5).merge(p[["k", "y"]].head(7), on="k")
p[["k", "x"]].head(5).merge(p[["k", "y"]].head(7), on="k", how="outer")
pd.merge(p[["x", "y"]].head(9), p[["x", "f"]].head(9), on="x", how="right")
"""

LOOKUPS = """
p["k"].map(p.groupby("k")["x"].max())
p["x"] - p["k"].map(p.groupby("k")["x"].max())
p.assign(top=p["k"].map(p.groupby("k")["x"].max()))[lambda q: q["x"] == q["top"]]
p[p["k"].isin(p[p["x"] > 1]["k"])]
p["s"].isin(p["k"])
p[~p["x"].isin(p["y"])]
p[p["k"].isin(p[p["x"] > 1]["k"])].groupby("k")["i"].count()
"""

CONCATS = """
pd.concat([p, p])
pd.concat([p[p["x"] > 1], p[["k", "x"]]], ignore_index=True)[["k", "x", "y", "s"]]
pd.concat([p[["k", "x"]], p[["x", "y"]]], join="inner")
pd.concat([p[["y", "x"]], p[["x", "k"]]], sort=True)
pd.concat([p["x"], p["y"]])
pd.concat([p["x"], p["x"]], ignore_index=True)
pd.concat([p["x"], p["y"] * 2], axis=1)
pd.concat([p[["k"]], p["y"] * 2], axis="columns")
pd.concat([p, p]).groupby("k")["i"].count()
p[["k", "x", "y"]].melt(id_vars="k")
p[["x", "y"]].melt(ignore_index=False, var_name="which", value_name="what")
pd.melt(p, id_vars=["k", "b"], value_vars=["y", "x"])
"""
