"""Rows drawn by a seed, and rows at places."""

DRAWN = """
p.sample(frac=1, random_state=0)
p.sample(frac=0.5, random_state=7)
p.sample(frac=0.3, random_state=np.int64(5))["x"]
p.sample(frac=0, random_state=1)
p.sample(n=0, random_state=1)
p.sample(frac=0.25, random_state=3, ignore_index=True)
p.sample(frac=2.5, replace=True, random_state=11)
p.sample(frac=0.7, replace=True, random_state=4294967295)[["k", "x"]]
p["x"].sample(frac=0.5, random_state=2)
p["s"].sample(frac=1.5, replace=True, random_state=2, ignore_index=True)
p[p["x"] > 0].sample(frac=0.5, random_state=9)
p.sort_values("x", kind="stable").sample(frac=0.4, random_state=21)
p.sample(frac=0.5, random_state=1).sample(frac=0.5, random_state=1)
p.sample(frac=0.5, random_state=5).head(3)
q = p.sample(frac=0.5, random_state=5); q[q["i"] > 2]
p.sample(frac=0.6, random_state=13)["i"].sum()
p.sample(frac=0.6, random_state=13)["s"].str.upper()
p.assign(z=p["i"] * 2).sample(frac=0.3, random_state=1).sort_index()
p.sample(frac=0.5, random_state=8).groupby("k")["i"].sum()
p.groupby("k").sample(frac=0.5, random_state=1)
p.groupby(["k", "b"])[["x", "i"]].sample(frac=0.7, replace=True, random_state=1)
p.groupby("g", sort=False)["x"].sample(frac=0.5, random_state=1)
p.groupby("k")["i"].sum().sample(frac=0.5, random_state=3)
p.groupby(["k", "b"])["x"].max().sample(frac=1, random_state=3)
p.sample(frac=0.5, random_state=8).groupby("k", sort=False)["s"].first()
p.sample(frac=0.9, random_state=6).drop_duplicates("k")
p.sample(frac=0.9, random_state=6).reset_index()
p.sample(frac=1, random_state=6)["i"].cumsum()
p.take([])
p["x"].take([])
pd.concat([p, p.head(3)]).sample(frac=0.3, random_state=15)
p.merge(p.sample(frac=0.5, random_state=2)[["i", "x"]], on="i", suffixes=("", "_drawn"))
p[p["i"].isin(p["i"].sample(frac=0.2, random_state=2))]
"""
