"""A column of flags for each value; modes of several columns; periods."""

FLAGS = """
pd.get_dummies(p["k"])
pd.get_dummies(p["s"], prefix="w")
pd.get_dummies(p["k"], prefix="k", prefix_sep="=", dummy_na=True)
pd.get_dummies(p["k"], drop_first=True, dtype=int)
pd.get_dummies(p["k"], dummy_na=True, drop_first=True)
pd.get_dummies(p["b"], prefix="b", dtype="float64")
pd.get_dummies(p[["k", "x", "i"]])
pd.get_dummies(p[["x", "s", "k"]], columns=["k"])
pd.get_dummies(p[["x", "s", "k"]], columns=["k", "s"], prefix=["a", "b"], prefix_sep="-")
pd.get_dummies(p[["k", "b"]], columns=["b"], prefix={"b": "flag"}, dtype="uint8")
pd.get_dummies(p[["k", "s"]], prefix="one")
pd.get_dummies(p[["k", "x", "i"]][p["x"] > 0], dummy_na=True)
pd.get_dummies(p.sort_values("x").head(7)[["k", "x"]])
pd.get_dummies(p.groupby("k")[["x"]].sum().reset_index(), drop_first=True)
"""
MODES = """
p[["k", "x"]].mode()
p[["k", "x", "b", "s"]].mode()
p[["t", "y"]].mode()
p[["x", "y", "f"]].mode(dropna=False)
p[["k", "x", "y"]].mode(numeric_only=True)
p[["x"]].mode()
"""
PERIODS = """
p["t"].dt.to_period("M").astype(str)
p["t"].dt.to_period("Q").astype("str")
p["t"].dt.to_period("Y").astype(str)
p["t"].dt.to_period("D").astype(str)
p["t"].dt.to_period("h").astype(str)
p["t"].dt.to_period("min").astype(str)
p["t"].dt.to_period("W").astype(str)
p["t"].dt.to_period("W-WED").astype(str)
p["t"].dt.to_period("M").dt.start_time
p["t"].dt.to_period("Q").dt.to_timestamp()
p["t"].dt.to_period("Y").dt.start_time
p["t"].dt.to_period("W").dt.start_time
p["t"].dt.to_period("h").dt.start_time
p.groupby(p["t"].dt.to_period("D").astype(str))["x"].sum()
"""
DESCRIBED = """
p.describe(include=["number"]) #2
p[["x", "i", "k"]].describe(include="number", percentiles=[0.3]) #2
p[["x", "y", "k", "t"]].describe(include=["float64"]) #2
p[["x", "i", "k", "s"]].describe(exclude=["object", "str"]) #2
"""
