"""Functions of NumPy on columns, and what puts other values in the place of values."""

_UNARY = "log log2 log10 log1p exp exp2 expm1 sqrt cbrt sin cos tan arcsin arccos arctan sinh cosh tanh"
_MORE = (
    "arcsinh arccosh arctanh degrees radians rint floor ceil trunc sign square isfinite isinf isnan signbit"
)

FUNCTIONS = "\n".join(
    [f'np.{name}(p["x"])' for name in [*_UNARY.split(), *_MORE.split(), "abs", "negative", "reciprocal"]]
    + [f'np.{name}(p["f"] / 16)' for name in [*_UNARY.split(), *_MORE.split()]]
    + [f'np.{name}(p["i"])' for name in [*_MORE.split(), "log", "sqrt", "exp2", "cos"] if name != "square"]
    + [f'np.{name}(p["x"], p["y"])' for name in ["maximum", "minimum", "fmax", "fmin", "hypot", "arctan2"]]
    + [f'np.{name}(p["i"], p["x"])' for name in ["maximum", "minimum", "fmax", "fmin", "hypot", "arctan2"]]
    + [f'np.{name}(p["f"], 1.5)' for name in ["maximum", "minimum", "fmax", "fmin", "hypot", "arctan2"]]
)

NUMPY = """
np.square(p["g"])
np.maximum(p["i"], 3)
np.minimum(2.5, p["x"])
np.maximum(p["t"], p["t"])
np.maximum(p["b"], p["b"])
np.maximum(p[["x", "y"]], 1)
np.sqrt(p[["x", "i"]])
np.log(p["x"].abs() + 1).rename("z")
np.exp(-p["x"].clip(-5, 5))
np.clip(p["x"], -1, 2)
np.clip(p["i"], 0, None)
np.log1p(p["x"].abs().sum())
np.isnat(p["t"])
np.round(np.sin(p["x"]), 2)
p["z"] = np.where(p["x"] > 1, "a", "b"); p
p["z"] = np.where(p["x"] > 1, p["x"], p["y"]); p
p["z"] = np.where(p["x"] > 1, p["x"], np.nan); p
p["z"] = np.where(p["x"] > 1, p["x"], 0); p
p["z"] = np.where(p["g"] > 1, p["g"], 0.5); p
p["z"] = np.where(p["x"].isna(), p["y"], p["x"]); p
p["z"] = np.where(p["g"] > 1, p["g"], True); p
p["z"] = np.where(p["b"], 1, 0); p
p["z"] = np.where(p["b"], True, p["x"] > 1); p
p["z"] = np.where(p["b"], p["k"], "other"); p #e
p["z"] = np.where(p["b"], p["f"], 0); p
p["z"] = np.where(p["b"] & (p["x"] > 0), p["f"], p["x"]); p
p["z"] = np.where(p["x"] > p["x"].mean(), p["x"].max(), p["x"]); p
p["z"] = np.select([p["x"] > 5, p["x"] > 0], ["big", "small"], "none"); p
p["z"] = np.select([p["x"] > 5, p["x"] > 0], [p["x"], p["y"]], np.nan); p
p["z"] = np.select([p["x"] > 5, p["x"] > 0], [2, 1]); p
p["z"] = np.select([p["x"] > 5, p["b"]], [p["g"], p["f"]], default=0); p
p["z"] = np.nan_to_num(p["x"]); p
p["z"] = np.nan_to_num(p["f"], nan=-1.0, posinf=1.0, neginf=0.0); p
p.assign(z=np.where(p["x"] > 1, 1, 0)).groupby("z")["x"].count()
pd.isna(p["x"])
pd.notnull(p[["x", "k"]])
pd.isnull(p["k"]).sum()
"""

REPLACING = """
p["x"].where(p["x"] > 1)
p["x"].where(p["x"] > 1, 0)
p["x"].where(p["b"], p["y"])
p["x"].where(lambda s: s > 0, lambda s: -s)
p["k"].where(p["b"])
p["k"].where(p["b"], "none")
p["t"].where(p["b"])
p["t"].where(p["b"], pd.Timestamp("2020-01-01"))
p["f"].where(p["b"], 0.25)
p["g"].where(p["b"], 0)
p["g"].where(p["b"]) #n
p["g"].where(p["b"], 0.5) #n
p["b"].where(p["x"] > 1, False)
p["x"].where(p["b"], p["x"].mean())
p["x"].mask(p["x"] > 1)
p["x"].mask(p["b"], p["y"])
p["x"].mask(p["x"].isna(), -1)
p["k"].mask(p["k"] == "a", "A")
p["s"].mask(p["b"])
p[["x", "y"]].where(p[["x", "y"]] > 1)
p[["x", "y"]].where(p[["x", "y"]] > 1, -1)
p[["x", "y"]].mask(lambda q: q > 1, 0)
p[["x", "y"]].where(p[["x", "y"]] > 1, p[["y", "x"]].rename(columns={"y": "x", "x": "y"}))
p[p[["x", "y"]] > 1] if len(p.columns) == 2 else p[["x", "y"]][p[["x", "y"]] > 1]
p["x"].clip(-1, 2)
p["x"].clip(lower=0)
p["x"].clip(upper=p["y"])
p["x"].clip(2, -1)
p["i"].clip(-3, 3)
p["i"].clip(upper=5)
p["g"].clip(0.5) #n
p["x"].clip(p["y"], 5)
p["x"].clip(p["x"].mean(), p["x"].max())
p["t"].clip(lower=pd.Timestamp("2024-02-29"))
p["f"].clip(0.5, 2)
p[["x", "i"]].clip(-2, 3)
p[["x", "y"]].clip(lower=p["y"], axis=0)
p["i"].replace(1, 5)
p["i"].replace([1, 2, 3], 0)
p["i"].replace([1, 2], [2, 1])
p["i"].replace({1: 2, 2: 1})
p["x"].replace(1.25, -1)
p["x"].replace(1, 9)
p["x"].replace(float("nan"), 0)
p["x"].replace([float("inf"), -float("inf")], float("nan"))
p["k"].replace("a", "A")
p["k"].replace({"a": "b", "b": "a", "": "empty"})
p["k"].replace(["a", "b"], "ab")
p["k"].replace("a", None)
p["b"].replace(True, False)
p["b"].replace(1, False)
p["t"].replace(pd.Timestamp("2024-02-28 23:00:00"), pd.Timestamp("2020-01-01"))
p["g"].replace(1, 1.5) #n
p["g"].replace(1, float("nan")) #n
p[["x", "i"]].replace(1, 5)
p[["x", "k"]].replace({"x": {1.25: 0.0}, "k": {"a": "A"}})
p[["x", "k"]].replace({"x": 1.25, "k": "a"}, {"x": 0.0, "k": "A"})
p[["x", "i"]].replace({1: 2})
p[["x", "i"]].replace({"x": 1.25}, 7)
p["k"].map({"a": 1, "b": 2, "Zürich": 3}) #e
p["k"].map({"a": 1.5, "b": 2}) #e
p["k"].map({"a": "first", "b": "second", "ключ": "third"})
p["b"].map({True: False, False: True})
p["g"].map({-1: "minus", 0: "zero", 1: "one", 2: "two"})
p["x"].map({1.25: "a", -2: "b"})
p["b"].map({True: "yes", False: "no"})
p["g"].map({0: "zero"}).fillna("other")
p["k"].map(pd.Series([10.0, 20.0], index=["a", "b"])) #e
p["x"].map({1.25: "a", float("nan"): "missing"})
p["x"].map({1.25: "a"}, na_action="ignore")
p["x"].case_when([(p["x"] > 5, 100.0), (p["x"] > 0, p["y"])])
p["g"].case_when([(p["x"] > 5, p["x"])])
p["k"].case_when([(p["x"] > 5, "big"), (p["b"], p["s"])])
p["x"].combine_first(p["y"])
p["k"].combine_first(p["s"])
p["x"].dropna()
p["k"].dropna(ignore_index=True)
p.dropna()
p.dropna(how="all")
p.dropna(subset=["x", "k"])
p.dropna(subset="x")
p.dropna(subset=["x", "y"], how="all")
p.dropna(thresh=8)
p.dropna(thresh=2, subset=["x", "y", "k"], ignore_index=True)
p[["k", "x"]].isin({"k": ["a", "b"], "x": [1.25]})
p["k"].isin({"a", "b"})
p["i"].isin(range(3))
p["k"].isin(pd.Series(["a", "b"]))
p.loc[p["x"] > 1, "x"] = 0; p
p.loc[p["b"], "k"] = "none"; p
p.loc[p["x"] > 1, "x"] = p["y"]; p
p.loc[p["b"], ["x", "y"]] = 0.5; p
p.loc[p["x"] > 1, "z"] = "big"; p #e
p.loc[p["x"] > 1, "z"] = 1.5; p #e
p.loc[p["x"] > 1, "z"] = 1; p #e
p.loc[lambda q: q["b"], "i"] = -1; p
p.loc[p["b"], "x"] = np.nan; p
p.loc[p["x"] > 1, "z"] = "big"; p.loc[p["x"] <= 1, "z"] = "small"; p #e
p["x"].add(p["y"], fill_value=0)
p["x"].sub(p["y"], fill_value=1.5)
p["x"].rsub(p["y"], fill_value=1)
p["x"].mul(2, fill_value=3)
p["x"].rtruediv(2, fill_value=4)
p["x"].div(p["f"], fill_value=1)
p[["x", "y"]].add(1, fill_value=0)
p[["x", "y"]].mul(p[["y", "x"]].set_axis(["x", "y"], axis=1), fill_value=2)
p["x"].dot(p["y"]) #2
p["x"] @ p["f"] #2
p["g"] @ p["g"]
s = p["x"]; s[s > 1] = 0; s
s = p["x"].copy(); s.loc[p["b"]] = p["y"]; s
s = p["k"].copy(); s[s == "a"] = "A"; p.assign(z=s)
"""
