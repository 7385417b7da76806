"""Functions of single values, of rows and of columns."""

VALUES = """
p["x"].map(lambda v: v * 2 + 1) #e
p["x"].map(lambda v: v if v > 0 else -v)
p["x"].map(lambda v: "big" if v > 5 else "small") #e
p["x"].map(lambda v: "big" if v > 5 else ("mid" if v > 0 else "small")) #e
p["x"].map(lambda v: "in" if 0 < v < 5 else "out") #e
p["x"].map(lambda v: v > 1 and v < 7) #e
p["x"].map(lambda v: not v > 1) #e
p["x"].map(lambda v: 1 if v > 0 else 0) #e
p["x"].map(lambda v: 1 if v > 0 else 0.5) #ne
p["x"].map(lambda v: v or 7.0)
p["x"].map(lambda v: None if v > 3 else v)
p["x"].map(lambda v: round(v, 1))
p["x"].map(lambda v: abs(v) ** 2)
p["x"].map(lambda v: min(v, 3.0))
p["x"].map(lambda v: max(0.0, min(v, 5.0)))
p["x"].map(lambda v: v // 2 + v % 2)
p["x"].map(lambda v: v / (v + 1000) if v == v else -1.0)
p["x"].map(lambda v: np.sin(v))
p["x"].map(lambda v: np.log(v) if v > 0 else 0.0)
p["x"].map(lambda v: float(v) + 0.5)
p["x"].map(lambda v: int(v) if abs(v) < 1000 else 0) #e
p["x"].map(lambda v: round(v) if abs(v) < 1000 else 0) #e
p["x"].map(lambda v: v in (1.25, 2.5)) #e
p["x"].map(lambda v: isinstance(v, float)) #e
p["x"].map(lambda v: pd.isna(v)) #e
p["x"].map(lambda v: "none" if pd.isna(v) else "some") #e
p["x"].map(lambda v: v * 2, na_action="ignore")
p["x"].map(lambda v: "pos" if v > 0 else "neg", na_action="ignore") #ea
p["x"].map(abs)
p["x"].map(np.floor)
p["g"].map(lambda v: v * 2 + 1) #e
p["g"].map(lambda v: v % 3) #e
p["g"].map(lambda v: v // 2) #e
p["g"].map(lambda v: v / 4) #e
p["g"].map(lambda v: v ** 2 - 1) #e
p["g"].map(lambda v: "even" if v % 2 == 0 else "odd") #e
p["g"].map(lambda v: 10 / v if v else 0.0) #e
p["g"].map(lambda v: 100 // v if v != 0 else -1) #e
p["i"].map(lambda v: float(v)) #e
p["g"].map(lambda v: str(v) if v == v else "none") if p["g"].dtype == "int64" else p["g"].map(lambda v: str(int(v)) if v == v else "none") #e
p["b"].map(lambda v: "yes" if v else "no") #e
p["b"].map(lambda v: v + 1) #e
p["b"].map(lambda v: not v) #e
p["f"].map(lambda v: v * 0.1) #e
p["k"].map(lambda v: v == "a") #e
p["k"].map(lambda v: 1 if v in ("a", "b") else 2) #e
p["k"].map(lambda v: v + "!" if isinstance(v, str) else "none") #e
p["k"].map(lambda v: v + "!", na_action="ignore") #a
p["k"].map(lambda v: "many" if v > "b" else "few", na_action="ignore") #ea
p["s"].map(lambda v: v if v else "empty") #a
p["x"].apply(lambda v: v + 1)
p["x"].apply(lambda v, n: v + n, args=(2,))
p["x"].apply(lambda v, n=0: v + n, n=3)
p["x"].apply(np.sqrt)
p["x"].apply("abs")
p["x"].apply("sum") #e
p["x"].apply(["sum", "max"]) #e
p["x"].apply(lambda s: s - s.mean(), by_row=False)
m = p["x"].mean(); p["x"].apply(lambda v: v - m)
m = p["x"].mean(); p["x"].apply(lambda v: "above" if v > m else "below") #e
p["x"].transform(lambda v: v + 1)
p["x"].transform(lambda s: s - s.mean())
p["x"].transform(np.exp) if p["x"].dtype == "int" else p["x"].transform(np.sin)
p["x"].transform("abs")
p["x"].clip(0, 10).map(lambda v: math.sqrt(v))
p["x"].clip(0, 10).map(math.sqrt)
p["x"].clip(-5, 5).map(lambda v: math.exp(v) if not math.isnan(v) else 0.0)
p["x"].map(lambda v: math.floor(v) if math.isfinite(v) else 0) #e
p["x"].map(lambda v: math.hypot(v, 1.0) + math.atan2(v, 2.0))
p["x"].map(lambda v: math.log(v, 10) if v > 0 and v < 1e9 else 0.0)
p.assign(z=p["x"].map(lambda v: "big" if v > 5 else "small")).groupby("z")["x"].count() #e
p[p["x"].map(lambda v: v > 1)] #e
p[["x", "y"]].map(lambda v: v * 2)
p[["x", "y"]].map(lambda v: 0.0 if v != v else v)
"""

ROWS = """
p.apply(lambda r: r["x"] + r["y"], axis=1) #e
p.apply(lambda r: r.x * 2 if r.b else r.y, axis=1) #e
p.apply(lambda r: "both" if r["x"] > 1 and r["b"] else "none", axis=1) #e
p.apply(lambda r: r["x"] if r["x"] > r["y"] else r["y"], axis=1) #e
p.apply(lambda r: max(r["x"], r["y"]), axis=1) #e
p[["x", "y"]].apply(lambda r: r["x"] / r["y"], axis=1) #e
p[["x", "y"]].apply(lambda r: r["x"] * r["y"] + 1, axis=1) #e
p[["x", "g"]].apply(lambda r: r["g"] * 2, axis=1) #e
p[["g", "b"]].apply(lambda r: r["g"] if r["b"] else 0, axis=1) #e
p.apply(lambda r: r["k"] == r["s"], axis=1) #e
p.apply(lambda row, n: row["x"] > n, axis=1, args=(2,)) #e
p.apply(lambda r: r[["x", "y"]]["x"], axis=1) #e
p.apply(lambda r: sum(v for v in r[["x", "y"]]), axis=1) #e
p.apply(lambda r: 1, axis="columns") #e
p.assign(z=p.apply(lambda r: 1 if r["x"] > 0 else 0, axis=1)) #e
p[p["b"]].apply(lambda r: r["x"] - r["y"], axis=1) #e
p[["x", "y"]].apply(lambda s: s - s.mean())
p[["x", "y"]].apply(lambda s: s.max() - s.min()) #e
p[["x", "i"]].apply("sum") #e
p[["x", "y"]].apply(np.sqrt)
p[["x", "y"]].transform(lambda s: s - s.min())
p[["x", "y"]].transform({"x": np.abs})
p[["x", "y"]].transform("abs")
"""
