"""Values by the labels of rows, levels in another order, and small questions about columns and groups."""

ALIGNED = """
q = p.copy(); q.update(p[["x"]].head(3) * 2); q[["x", "k"]]
q = p.copy(); q.update(p[p["i"] > 2][["x", "y"]] + 1); q
q = p.copy(); q.update(p[["x"]] + 1, overwrite=False); q[["x", "i"]]
q = p[["x", "y"]]; q.update(p[["x"]].rename(columns={"x": "y"})); q
q = p[["x", "y"]]; q.update(p["x"].rename("y")); q
q = p[["x"]]; q.update(pd.DataFrame({"x": [100.0, 200.0], "other": [1, 2]}, index=[1, 5])); q
q = p[["x"]]; q.update(pd.DataFrame({"x": [100, 200, 300]})); q
q = p[["x"]]; q.update(p[["y"]]); q
q = p.groupby("k")[["x"]].sum(); q.update(p[p["i"] > 2].groupby("k")[["x"]].max()); q
q = p.groupby("k", as_index=False)["x"].sum().set_index("k"); q.update(p.groupby("k")["x"].mean()); q
s = p["x"].copy(); s.update(p["y"]); s
s = p["x"].copy(); s.update(p["y"].head(4)); s
s = p["s"].copy(); s.update(p["k"]); s
s = p.groupby("k")["x"].sum(); s.update(p[p["i"] > 2].groupby("k")["x"].min()); s
p["x"].align(p["y"])[1]
p[["x", "y"]].align(p[["x", "y"]] * 2)[0]
p.groupby(["k", "b"])["x"].sum().swaplevel()
p.groupby(["k", "b"])[["x"]].sum().swaplevel(0, 1).sort_index()
p.groupby(["k", "b", "g"])["i"].sum().reorder_levels(["g", "k", "b"])
p.groupby(["k", "b", "g"])[["i"]].sum().reorder_levels([2, 0, 1])
p.groupby(["k", "b", "g"])["i"].max().swaplevel("k", "g")
p["x"].autocorr()
p["i"].autocorr(2)
p["x"].hasnans
p["i"].hasnans
p.groupby("k").ngroups
p.groupby(["k", "b"]).ngroups
p.groupby("k", dropna=False)["x"].ngroups
"""
