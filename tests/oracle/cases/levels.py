"""Groups by levels of the index."""

LEVELS = """
p.set_index("k").groupby(level=0)["x"].sum()
p.set_index("k").groupby(level="k")[["x", "i"]].max()
p.set_index(["k", "g"])["x"].groupby(level=0).mean() #2
p.set_index(["k", "g"])["x"].groupby(level=[1, 0], sort=False).sum()
p.set_index(["k", "g"]).groupby(level="g", dropna=False)["i"].agg(["min", "count"])
p.set_index("k")["x"].groupby(level=0).transform("max")
p.set_index("k")["x"].groupby(level=-1).cumcount()
p.groupby(["k", "g"])["x"].sum().groupby(level=0).max()
p.groupby(["k", "g"])["x"].sum().groupby(level="g").agg(["min", "max"])
s = p.groupby(["k", "g"])["x"].max(); s - s.groupby(level=0).transform("min")
p.groupby("i")["x"].sum().groupby(level=0).sum()
"""
