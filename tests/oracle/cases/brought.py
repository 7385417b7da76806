"""Columns of different rows brought together by label; single values and rows by label or place; codes of values."""

TOGETHER = """
p["x"] + p[p["i"] > 2]["x"]
p[p["i"] > 2]["i"] * p[p["g"] > 0]["i"]
p.groupby("k")["x"].sum() / p[p["i"] > 2].groupby("k")["x"].count()
p.groupby(["k", "b"])["i"].sum() - p[p["i"] > 2].groupby(["k", "b"])["i"].max()
p.groupby("k")["i"].sum().add(p[p["i"] > 2].groupby("k")["y"].max(), fill_value=0)
p.groupby("k")["i"].count() + p[p["i"] > 2].groupby("k").size() + p[p["x"] > 1].groupby("k").size()
p["g"].value_counts().sort_index() / p[p["i"] > 2]["g"].value_counts().sort_index()
q = p[["k", "x"]].copy(); q["z"] = p[p["i"] > 2]["y"]; q
q = p.groupby("k")[["x"]].sum(); q["n"] = p[p["i"] > 2].groupby("k").size(); q
q = p.sort_values("x", kind="stable")[["x"]]; q["y"] = p["y"]; q
q = p[["x", "y"]].copy(); q.loc[q["x"] > 1, "x"] = p["y"]; q
p["x"].fillna(p[p["i"] > 2]["y"])
p[p["i"] > 2]["x"].combine_first(p["y"])
pd.concat([p[p["i"] > 2]["x"], p[p["g"] > 0]["y"]], axis=1)
pd.concat([p["x"], p[p["i"] > 2][["y", "k"]]], axis=1, join="inner")
pd.concat([p[p["i"] > 2].groupby("k")["x"].sum(), p.groupby("k").size().rename("n")], axis=1)
pd.concat([p[p["i"] > 2].groupby("k")["x"].sum(), p.groupby("k").size().rename("n")], axis=1, sort=True)
pd.DataFrame({"a": p["x"], "b": p[p["i"] > 2]["y"], "c": 1})
pd.DataFrame({"a": p["x"] * 2, "b": p["k"]})
pd.DataFrame({"a": p.groupby("k")["x"].sum(), "b": p[p["i"] > 2].groupby("k")["x"].max()})
pd.DataFrame({"what": ["sum", "rows"], "value": [p["x"].sum(), p["x"].count()]})
pd.DataFrame({"mean": p[["x", "y"]].mean(), "max": p[["x", "y"]].max()})
pd.DataFrame([{"n": p["i"].count(), "top": p["i"].max()}])
pd.DataFrame(p["x"])
p["x"].align(p[p["i"] > 2]["y"])[0]
p["x"].align(p[p["i"] > 2]["y"], join="inner")[1]
p[p["i"] > 2]["x"].align(p["y"], join="left")[1]
p[["x", "i"]].align(p[p["g"] > 0][["x", "i"]], join="right")[0]
p.groupby("k")[["x"]].sum().align(p[p["i"] > 2].groupby("k")[["y"]].max(), axis=0)[1]
"""

SINGLE = """
p["x"].iloc[0]
p["i"].iloc[-1]
p["i"].iloc[3]
p["k"].iat[0]
p.iat[0, 2]
p.iloc[0]["x"]
p.iloc[-1, 4]
p.sort_values("i", kind="stable")["k"].iloc[0]
p["i"] - p["i"].iloc[0]
p[["x", "y"]] - p[["x", "y"]].iloc[0]
p.loc[p["i"].idxmax(), "k"]
p.loc[p.groupby("g")["i"].idxmax()]
p["x"].loc[p.groupby("g")["i"].idxmin()]
p.groupby("g")["i"].sum().loc[p["g"].max()]
p.groupby("g")["i"].sum()[p["g"].min()]
p.groupby("b")[["i", "x"]].sum().at[True, "i"]
p.groupby("g")[["x", "y"]].sum().loc[2]
p.groupby("g")["i"].sum().get(77, -1)
p.groupby("g")["i"].sum().get(0)
p.groupby(["g", "b"])["i"].sum().loc[(2, True)]
p.groupby("g")["i"].sum().reindex([1, 0, 5])
p.groupby("g")["i"].sum().reindex([1, 0, 5], fill_value=0)
p.groupby("k")[["i", "x"]].sum().reindex(["a", "nope", "b"])
p["k"].value_counts().reindex(["b", "a"], fill_value=0)
p["x"].first_valid_index()
p[["x", "i"]].last_valid_index()
p.groupby(["g", "b"])["i"].sum().xs(True, level="b")
p.groupby(["g", "b"])[["i"]].sum().xs(True, level=1, drop_level=False)
p.set_index("t").between_time("00:30", "06:00")[["x"]]
p.set_index("t")["x"].between_time("22:00", "03:00", inclusive="left")
p.set_index("t")[["x"]].at_time("23:00")
p.truncate(3, 12)
p["x"].truncate(after=5)
p.groupby("b").get_group(True)
p.groupby(["b"])["x"].get_group((True,))
"""

ROWS = """
q = p.sort_values("x", kind="stable").reset_index(drop=True); q["place"] = q.index + 1; q[["place", "x"]]
p[["x", "y"]].stack()
p[["i", "x"]].stack()
p.groupby("k")[["x", "y"]].sum().stack()
pd.factorize(p["k"])[0]
pd.Series(pd.factorize(p["k"])[1])
pd.factorize(p["g"], sort=True)[0]
pd.Series(p["s"].factorize(sort=True)[1])
p["k"].factorize(use_na_sentinel=False)[0]
q = p[["k"]].copy(); q["code"], _ = pd.factorize(p["k"]); q
pd.cut(p["x"], [-20, 0, 5, 20], labels=[3, 2, 1]).astype("float64")
pd.qcut(p["i"], 2, labels=[1, 2]).astype("float64") #e
p["x"].rolling(5, min_periods=3).cov(p["y"]) #2
p["x"].rolling(6, min_periods=2).corr(p["i"]) #2
p["x"].rolling(4, min_periods=2).sem()
p["x"].expanding(3).corr(p["y"]) #2
p.sample(n=1, weights=p["i"].abs() + 1, random_state=2)
p["x"].sample(frac=0.2, weights=p["g"].abs() + 1, random_state=4)
p.sample(frac=1.5, replace=True, weights=p["i"].abs() + 1, random_state=5)[["i"]]
"""

OF_GROUPS = """
p.groupby("k").apply(lambda g: g.nlargest(2, "i"))
p.groupby("k").apply(lambda g: g.sort_values("i", ascending=False, kind="stable").head(2))
p.groupby("k").apply(lambda g: g.head(2))
p.groupby("k").apply(lambda g: g.tail(1))
p.groupby("k").apply(lambda g: g[g["x"] >= g["x"].mean()])
p.groupby(["k", "b"]).apply(lambda g: g.drop_duplicates("g"))
p.groupby("k", group_keys=False).apply(lambda g: g.nlargest(2, "i"))
p.groupby("k", group_keys=False).apply(lambda g: g[g["i"] > g["i"].median()])
p.groupby("k", group_keys=False)[["x", "i"]].apply(lambda g: g.head(100))
p.groupby("k")["x"].apply(lambda s: s.nsmallest(2))
p.groupby("k")["i"].apply(lambda s: s[s > 0])
p.groupby("k").apply(lambda g: g.sort_values("i", kind="stable").reset_index(drop=True).head(2))
p.set_index("t").groupby("g")["x"].resample("4h").sum()
p.groupby("g").resample("D", on="t")["i"].sum()
p.set_index("t").groupby(["g", "b"])["i"].resample("6h").agg(["sum", "count"])
p.resample("D", on="t")["x"].median()
p.resample("12h", on="t")["i"].prod()
p.resample("12h", on="t")["x"].quantile(0.25)
p.apply(lambda row: pd.Series({"a": row["x"] * 2, "b": row["i"] + 1}), axis=1) #e
p.apply(lambda row: (row["x"], row["k"]), axis=1, result_type="expand") #ea
q = p[["x", "y"]].copy(); q[["a", "b"]] = p.apply(lambda r: pd.Series([r["x"] + r["y"], r["x"] - r["y"]]), axis=1); q #e
"""

SEVERAL = """
p.loc[3:9, ["x", "k"]]
p["x"].loc[:5]
p.groupby("g")["i"].sum().loc[0:1]
p.groupby("k")["i"].sum().loc["a":"c"]
p.set_index("t").sort_index()["x"].loc["2024-02-29":]
p.set_index("t")["i"].loc["2024-02"]
p.loc[[2, 0, 1]]
p["i"].sort_values(kind="stable").index[0]
p.groupby("k")["x"].agg(["min", "max"]).loc[:, "min"]
p[["x", "y"]].mean().iloc[0]
p[["x", "y"]].agg(["min", "max"]).loc["max", "y"]
p[["x", "y"]].agg(["min", "max"]).T
p[["x", "i"]].mean().round(1)
p["k"].map(lambda s: s[0] if isinstance(s, str) and len(s) > 0 else "-") #ea
"""
