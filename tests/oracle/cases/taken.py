"""Values taken out of columns: arrays, lists and dicts; rows left out by label; tables beside each other."""

ARRAYS = """
p["y"].values
p["i"].to_numpy() + 1
p["x"].values * 2 - p["y"].to_numpy()
p["y"].array > 3
p["y"] + p["i"].values
p["i"].values * p["y"]
p["y"].values <= p["y"]
1 / (p["g"].to_numpy(dtype="float64") + 0.5)
-p["y"].values
abs(p["i"].values - 4)
~(p["y"].values > 2)
np.log(p["i"].values * 1.0 + 10)
np.sqrt(p["y"].values) + p["y"]
np.where(p["y"].values > 2, p["i"].values, 0)
np.where(p["x"].isna().values, -1.0, p["x"].values)
p["y"].values.sum()
p["y"].to_numpy().mean()
p["i"].values.max() - p["i"].values.min()
p["i"].values.std()
p["i"].to_numpy().var(ddof=1)
np.mean(p["y"].values)
np.std(p["i"].values, ddof=1)
q = p[["i"]]; q["z"] = p["y"].values; q
p.assign(z=p["k"].values, w=p["i"].values + 1)[["z", "w"]]
p[p["i"].values > 3]["x"]
p["y"][p["i"].to_numpy() > 3]
p["y"].values[2:5]
p["i"].values[p["i"].values > 2]
p["i"].values.astype("float64").round(1)
p.sort_values("i")["y"].values
pd.Series(p["i"].values, name="n")
p["k"].isin(p[p["i"] > 5]["k"].tolist())
p[p["g"].isin(p["g"].unique().tolist())]["i"]
p["i"].isin(p["g"].values)
p["g"].map(p.groupby("g")["i"].sum().to_dict())
p["g"].map(p.set_index("g")["i"].to_dict())
p["g"].map(p["g"].value_counts().to_dict()).sum()
p.set_index("g").index.values + 1
q = p.set_index("g"); q[~q.index.duplicated()]
p.set_index("g").index.is_unique
p.empty
p[p["i"] > 1000000]["x"].empty
"""

LEFT_OUT = """
p.drop(index=[0, 2])
p.drop(p[p["i"] > 3].index)
p.drop(p[p["y"] > 3].index, errors="ignore")["i"]
p.drop([0], axis=0, errors="ignore")
p.drop(index=1, columns=["x", "y"], errors="ignore")
p["x"].drop([0, 1], errors="ignore")
p["x"].drop(p[p["g"] == 2].index)
p.groupby("g")["i"].sum().drop(2, errors="ignore")
p.groupby("k")["i"].sum().drop(["no such key"], errors="ignore")
p.groupby("g")["i"].sum().add_prefix("g_")
p["i"].add_suffix("_row")
p.groupby(["g", "b"])["i"].sum().droplevel(1)
p.groupby(["g", "b"])["i"].sum().droplevel("g")
p.groupby("g")["i"].sum().keys().to_series()
"""

BESIDE = """
p[["x", "y"]].combine_first(p[["y", "i"]])
p[["x"]].combine_first(p[["i"]].rename(columns={"i": "x"}))
p[["x", "y"]].equals(p[["x", "y"]].copy())
p[["x", "y"]].equals(p[["x", "y"]].fillna(0))
p["x"].equals(p["x"])
p["x"].equals(p["y"])
p["i"].equals(p["y"])
p[["x", "y"]].dot([2, 0.5])
p[["i", "g"]].dot(np.array([1, 10]))
p[["y", "i"]].dot(pd.Series({"i": 2.0, "y": 1.0}))
p.infer_objects()
p["i"].infer_objects()
p["i"].sort_values().searchsorted(3)
p["i"].sort_values().searchsorted(3, side="right")
"""
