"""Labels and the index: columns chosen, renamed, put in order; expressions as text."""

LABELS = """
p.select_dtypes("number")
p.select_dtypes(include=["number", "bool"])
p.select_dtypes(exclude="number")
p.select_dtypes(include=np.number, exclude="float32")
p.select_dtypes("str")
p.select_dtypes("datetime")
p.filter(items=["x", "k", "nope"])
p.filter(["x", "k"])
p.filter(regex="^[xy]$")
p.filter(regex="[xk]", axis=1)
p.add_prefix("c_")
p.add_suffix("_c")
p[["x", "y"]].set_axis(["a", "b"], axis=1)
p.insert(1, "z", p["x"] * 2); p
p.insert(0, "z", 1); p
p.insert(len(p.columns), "z", "text"); p
p.reindex(columns=["x", "new", "k"])
p.reindex(["y", "x"], axis=1)
p.reindex(columns=["x", "new"], fill_value=0)
p[["x"]].squeeze(axis=1)
p[["x", "y"]].squeeze(axis="columns")
p.isetitem(2, p["y"]); p
x = p.pop("x"); p.assign(z=x + 1)
p[["x", "y"]] = p[["y", "x"]]; p
p[["a1", "a2"]] = 0; p
p.assign(z=lambda q: q["x"] * 2, w=lambda q: q["z"] + 1)
p.pipe(lambda q: q[["x"]])
"""

INDEX = """
p.set_index("k")
p.set_index(["k", "g"])
p.set_index("k", drop=False)
p.set_index("g", append=True)
p.set_index(p["x"] > 1)
p.set_index(["k", p["g"] * 2])
p.set_index("k")["x"]
p.set_index("k").reset_index()
p.set_index(["k", "g"]).reset_index(level="g")
p.set_index(["k", "g"]).reset_index(level=0, drop=True)
p.set_index(["k", "g"])["x"].reset_index(level="k")
p.set_index(["k", "g"])["x"].reset_index(level=[0, 1])
p.set_index(["k", "g"])["x"].reset_index(level=1, drop=True)
p.set_index(["k", "g"]).droplevel("k")
p.set_index("g").sort_index(kind="stable")
p.set_index("k").sort_index(ascending=False)
p.set_index("k").sort_index(na_position="first")
p.set_index(["g", "i"]).sort_index(level="i")
p.set_index(["g", "i"]).sort_index(level=[1, 0], ascending=[False, True])
p.set_index(["g", "i"]).sort_index(level="g", sort_remaining=False)
p.set_index("k").rename_axis("key")
p.set_index(["k", "g"]).rename_axis(["a", "b"])
p.set_index(["k", "g"]).rename_axis({"k": "key"}) if False else p.set_index(["k", "g"]).rename_axis(index={"k": "key"})
p.set_index("k").rename_axis(None)
p.rename_axis("row")
p["x"].rename_axis("row")
p.rename_axis("row").reset_index()
p[p.index > 3]
p[p.index.isin([1, 2, 5])]
p.assign(n=p.index * 2)
p.assign(n=p.index)
p[p["x"] > 1].assign(n=lambda q: q.index)
q = p.set_index("k"); q[q.index == "a"]
q = p.set_index("k"); q.assign(key=q.index)
q = p.set_index(["k", "g"]); q[q.index.get_level_values("g") > 0]
p["x"][p["x"].index < 5]
p.groupby("k")[["x"]].sum().reset_index().set_index("k")
p.groupby(["k", "g"])["x"].sum().reset_index(level="g")
p.groupby(["k", "g"])["x"].sum().sort_index(level="g")
q = p.groupby("k")["x"].sum(); q[q.index != "a"]
p.sort_values("x", key=lambda s: s.abs())
p.sort_values(["k", "x"], key=lambda s: s.isna())
p.sort_values("i", key=lambda s: -s, ignore_index=True)
p["x"].sort_values(key=lambda s: s.abs())
p["i"].sort_values(key=lambda s: s % 5, ascending=False, kind="stable")
m = p["x"] > 1; p.loc[m, "x"] = p.loc[m, "x"] * 2; p
p.loc[p["x"] > 1, "x"] *= 2; p
p.loc[p["b"], "y"] += p["x"].max(); p
q = p.assign(w=p["x"] * 2); m = q["w"] > 3; q.loc[m, "w"] = q[m]["x"]; q
"""

QUERIES = """
p.query("x > 1")
p.query("x > 1 and i < 5")
p.query("x > 1 & i < 5")
p.query("x > 1 | b")
p.query("not (x > 1)")
p.query("~(x > 1) and b")
p.query("0 < x < 5")
p.query("k == 'a'")
p.query('k != "a" and s >= "short"')
p.query("k in ['a', 'b']")
p.query("k not in ('a', 'b')")
p.query("k == ['a', 'b']")
p.query("k != ['a', 'b']")
p.query("i in [1, 2, 3] or x > y")
n = 3; p.query("i > @n")
keys = ["a", "b"]; p.query("k in @keys")
p.rename(columns={"x": "a b"}).query("`a b` > 1")
p.query("x + y > 3 * i - 1")
p.query("x > x.mean()")
p.query("x.isna() or k.isnull()")
p.query("t > '2024-02-29'")
p.query("abs(x) > 2 and sqrt(y) < 2")
p.query("index > 3")
p.query("b")
p.query("x == x")
p.query("-x > i // 2")
p.query("x.between(0, 3)")
p.set_index("g").query("g > 0")
p.query("x > 1").groupby("k")["x"].sum()
p.eval("x + y")
p.eval("x > 1 and b")
p.eval("z = x + y")
p.eval("z = x * 2\\nw = z - y")
p.eval("x ** 2") #2
p.eval("sin(x)")
"""

BINS = """
pd.cut(p["x"], [-5, 0, 5, 10], labels=False) #n
pd.cut(p["x"], [-5, 0, 5, 10], labels=False, right=False) #n
pd.cut(p["x"], [-5, 0, 5, 10], labels=False, include_lowest=True) #n
pd.cut(p["g"], [-2, 0, 3], labels=False) #n
pd.cut(p["x"], [-5, 0, 5, 10], labels=["low", "mid", "high"]).astype(str) #e
pd.cut(p["x"], [-5.0, 0, 5, 10]).astype(str) #e
pd.cut(p["x"], [-5, 0.5, 5.25, 10], right=False).astype(str) #e
pd.cut(p["x"], [-5.5, 0, 5, 10], include_lowest=True).astype(str) #e
pd.cut(p["x"], [-np.inf, 0, np.inf]).astype(str) #e
pd.cut(p["x"], 4, labels=False) #ne
pd.cut(p["x"], 3, labels=["a", "b", "c"]).astype(str) #e
pd.cut(p["g"], 2, labels=False, right=False) #ne
pd.cut(p["i"], 5, labels=False) #ne
p.assign(bin=pd.cut(p["x"], [-20, 0, 20], labels=False)).groupby("bin")["x"].count() #ne
"""

TURNED = """
p[["x", "y"]].T
p[["i", "g"]].T
p[["x", "i"]].head(7).transpose()
p[["k", "s"]].T
p.groupby("g")[["x", "i"]].sum().T
p.groupby("g").agg({"x": "mean", "i": "max"}).transpose()
p.groupby(["g", "b"])[["x", "y"]].max().T
p.sort_values("i")[["x"]].head(3).T
p["x"].T
"""
