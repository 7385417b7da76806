"""Columns chosen, rows filtered, arithmetic, assignment."""

COLUMNS = """
p
p["x"]
p.x
p[["k", "x"]]
p[["x"]]
p[["s", "k", "b", "t"]]
p.loc[:, ["x", "k"]]
p.loc[p["x"] > 1, ["x", "k"]]
p.loc[p["x"] > 1, "x"]
p.drop(columns="x")
p.drop(columns=["x", "s"])
p.drop(["x", "s"], axis=1)
p.drop(columns=["x", "nope"], errors="ignore")
p.rename(columns={"x": "value", "nope": "n"})
p.rename(columns={"x": "y2", "y": "x"})
p["x"].rename("other")
p["x"].to_frame()
p["x"].to_frame("z")
p[["k", "x"]].copy()
p[p.columns[:3]]
p[[c for c in p.columns if c in ("x", "g")]]
p.reset_index(drop=True)
p.reset_index()
p["x"].reset_index(drop=True)
p["x"].reset_index()
"""

FILTERS = """
p[p["x"] > 1]
p[p["x"] >= 1.25]
p[p["i"] < 0]
p[p["i"] <= 0]
p[p["i"] == 3]
p[p["i"] != 3]
p[p["k"] == "a"]
p[p["k"] != "a"]
p[p["k"] > "a"]
p[p["k"] <= p["s"]]
p[p["b"]]
p[~p["b"]]
p[p["x"] > p["y"]]
p[p["x"] == p["x"]]
p[p["i"] > p["x"]]
p[(p["x"] > 1) & (p["i"] < 5)]
p[(p["x"] > 1) | p["b"]]
p[(p["x"] > 1) ^ p["b"]]
p[~(p["x"] > 1)]
p[~(p["i"] > 1) & ~(p["k"] == "a")]
p[p["x"].isna()]
p[p["k"].notna()]
p[p["s"].isnull() | p["x"].notnull()]
p[p["k"].isin(["a", "ключ", "nope"])]
p[~p["k"].isin(["a", ""])]
p[p["i"].isin([1, 2, 3])]
p[p["x"].isin([1.25, float("nan")])]
p[p["k"].isin([])]
p[p["x"].between(-2, 3)]
p[p["x"].between(-2, 3, inclusive="neither")]
p[p["x"].between(-2, 3, inclusive="left")]
p[p["i"].between(p["g"], 5, inclusive="right")]
p[p["k"].between("a", "b")]
p[p["t"] > pd.Timestamp("2024-02-29 03:00:00")]
p[p["t"] == pd.Timestamp("2024-02-28 23:00:00")]
p[p["x"] > 1e18]
p[p["x"] > 1]["k"]
q = p[p["x"] > 0]; q[q["y"] < 3]
q = p[p["x"] > 0]; q["i"]
p["x"][p["x"] > 1]
p["k"][p["b"]]
p[p["x"] > p["x"].mean()]
p[p["i"] == p["i"].max()]
p[p["x"].gt(1) & p["y"].le(2) & p["i"].ne(0) & p["i"].ge(-9) & p["i"].lt(9)]
p[p["x"].eq(p["y"])]
"""

ARITHMETIC = """
p["x"] + p["y"]
p["x"] - 1
p["x"] * p["y"] #2
p["x"] / p["y"]
p["x"] // p["y"]
p["x"] % p["y"]
p["x"] ** 2 #2
p["i"] + 1
p["i"] - p["g"]
p["i"] * 2
p["i"] * 0.5
p["i"] / 4
p["i"] / p["g"]
p["i"] // 4
p["i"] // -4
p["i"] % 4
p["i"] % -4
p["i"] // p["g"]
p["i"] % p["g"]
p["g"] ** 2
p["f"] * 2
p["f"] + p["x"]
p["f"] + p["i"]
p["b"] + p["i"]
p["b"] * p["x"]
p["b"] + p["b"]
1 - p["x"]
2 / p["y"]
7 // p["g"]
7 % p["g"]
-p["x"]
-p["i"]
+p["x"]
abs(p["x"])
p["i"].abs()
p["x"].round(1)
p["x"].add(p["y"])
p["x"].sub(1)
p["x"].mul(2)
p["x"].div(p["y"])
p["x"].rsub(1)
p["k"] + p["s"]
p["k"] + "!"
"<" + p["k"]
p["x"] > p["y"]
p["x"] != p["y"]
p["k"] == "a"
p["k"] != p["s"]
p["b"] & (p["x"] > 0)
p["b"] | (p["x"] > 0)
~p["b"]
p["b"] == True
p["t"] >= pd.Timestamp("2024-02-29")
p["x"] - p["x"].mean()
p["x"] / p["x"].sum()
(p["x"] - p["x"].min()) / (p["x"].max() - p["x"].min())
p["x"].isna()
p["k"].notna()
p["x"].fillna(0)
p["x"].fillna(p["y"])
p["x"].fillna(p["x"].mean())
p["k"].fillna("missing")
p["i"].fillna(-1)
p["t"].fillna(pd.Timestamp("2000-01-01"))
p.fillna({"x": 0.0, "k": "none"})
p[["x", "y"]].fillna(0)
p["i"].astype("float64")
p["x"].astype("float32")
p["g"].astype("int32")
p["g"].astype("float64")
p["g"].astype(float)
p["g"].astype(str)
p["b"].astype("int64")
p["b"].astype(int)
p["g"].astype(bool)
p["f"].astype("float64")
p.astype({"g": "float64", "b": "int8"})
p["x"].fillna(0).astype("int64")
"""

ASSIGN = """
p.assign(z=p["x"] + p["y"])
p.assign(z=1)
p.assign(z="text", w=2.5)
p.assign(x=p["x"] * 2)
p.assign(z=lambda q: q["x"] * 2, w=lambda q: q["z"] + 1)
p.assign(z=p["x"].sum())
p["z"] = p["x"] - p["y"]; p
p["x"] = p["i"]; p["z"] = p["x"] + 1; p[["x", "z"]]
p["z"] = 0; p
p["big"] = p["i"] > 2; p[p["big"]]
p["k"] = p["k"].fillna("?"); p.groupby("k")["i"].sum()
p["z"] = p["x"]; q = p[p["z"] > 0]; q = q.assign(w=q["z"] * 2); q[["w", "k"]]
"""
