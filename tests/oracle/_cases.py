"""The list of cases: every method of the surface with its main keywords, as plain pandas code.

A case is its own source text, with `p` for the partition: what fails can be pasted into a shell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Case:
    """A name and a function that pandas and we both run. `power` 2: its floats grow like squares."""

    name: str
    function: Callable[[Any], Any]
    power: int = 1


def _parse(text: str) -> list[Case]:
    """One case a line; a trailing `#2` sets the power; `a; b; c` are statements, the last one an expression."""
    cases = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        code, _, power = line.partition(" #")
        *statements, value = code.split("; ")
        body = "".join(f"    {statement}\n" for statement in statements)
        space: dict[str, Any] = {"pd": pd}
        exec(compile(f"def case(p):\n{body}    return {value}\n", f"<{code}>", "exec"), space)
        cases.append(Case(code, space["case"], int(power or 1)))
    return cases


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

SCALARS = """
p["x"].sum()
p["x"].mean()
p["x"].min()
p["x"].max()
p["x"].count()
p["x"].std()
p["x"].var() #2
p["x"].std(ddof=0)
p["x"].var(ddof=0) #2
p["x"].nunique()
p["x"].size
p["x"].sum(min_count=1)
p["x"].sum(min_count=50)
p["i"].sum()
p["i"].mean()
p["i"].min()
p["i"].max()
p["i"].count()
p["i"].std()
p["i"].var() #2
p["i"].nunique()
p["f"].sum()
p["f"].min()
p["b"].sum()
p["b"].mean()
p["b"].min()
p["b"].max()
p["k"].min()
p["k"].max()
p["k"].count()
p["k"].nunique()
p["t"].min()
p["t"].max()
p["t"].count()
p["t"].nunique()
p["x"].isna().sum()
(p["x"] > 1).sum()
(p["x"] > 1).mean()
p["x"].sum() / p["x"].count()
p["x"].max() - p["x"].min()
-p["i"].sum()
p["i"].sum() * 2 + 1
p[p["x"] > 1]["i"].sum()
p[p["i"] > 10**6]["x"].mean()
p.shape[0]
p[p["x"] > 1].shape[0]
p["x"].agg("sum")
p["x"].agg(["sum", "min", "count"])
p[["x", "y"]].sum()
p[["x", "i"]].mean()
p[["x", "i"]].max()
p[["k", "x"]].count()
p[["k", "g"]].nunique()
p[["x", "y"]].agg("sum")
p[["x", "y"]].agg(["sum", "max"])
p.agg({"x": "sum", "y": "max"})
"""

_AGGREGATES = ["sum", "mean", "min", "max", "count", "std", "var", "nunique", "first", "last"]

GROUPS = "\n".join(
    [f'p.groupby("k")["x"].{name}(){" #2" if name == "var" else ""}' for name in [*_AGGREGATES, "size"]]
    + [f'p.groupby("g")["i"].{name}(){" #2" if name == "var" else ""}' for name in [*_AGGREGATES, "size"]]
    + [f'p.groupby("k")["s"].{name}()' for name in ("min", "max", "count", "nunique", "first", "last")]
    + [f'p.groupby("k")["t"].{name}()' for name in ("min", "max", "count", "nunique", "first", "last")]
    + [
        f'p.groupby("k")["b"].{name}()'
        for name in ("sum", "mean", "min", "max", "count", "nunique", "first", "last")
    ]
    + [f'p.groupby("g")["f"].{name}()' for name in ("sum", "mean", "min", "max", "std", "first")]
    + [f'p.groupby("k")[["x", "i"]].{name}(){" #2" if name == "var" else ""}' for name in _AGGREGATES]
)

GROUPING = """
p.groupby("k").size()
p.groupby("k").count()
p.groupby("k").first()
p.groupby("k").last()
p.groupby("k").nunique()
p.groupby("k", as_index=False).size()
p.groupby("k", as_index=False)["x"].sum()
p.groupby("k", as_index=False)[["x", "i"]].mean()
p.groupby("k", as_index=False)["x"].count()
p.groupby("k", sort=False)["x"].sum()
p.groupby("k", sort=False, as_index=False)["x"].max()
p.groupby("k", dropna=False)["x"].sum()
p.groupby("k", dropna=False, sort=False)["i"].count()
p.groupby("k", dropna=False, as_index=False)["i"].max()
p.groupby(["k"])["x"].sum()
p.groupby(["k", "g"])["x"].sum()
p.groupby(["g", "k"])[["x", "y"]].sum()
p.groupby(["k", "g"], sort=False)["i"].sum()
p.groupby(["k", "g"], dropna=False)["i"].sum()
p.groupby(["k", "g"], dropna=False, sort=False).size()
p.groupby(["k", "g"], as_index=False)["x"].mean()
p.groupby(["k", "g"]).size()
p.groupby(["k", "g", "b"])["x"].count()
p.groupby(["k", "s"])["i"].min()
p.groupby("x")["i"].sum()
p.groupby("x", dropna=False)["i"].sum()
p.groupby("f")["i"].count()
p.groupby("b")["x"].sum()
p.groupby("t")["i"].sum()
p.groupby("i")["x"].sum()
p.groupby("s", sort=False).size()
p.groupby(p["k"])["x"].sum()
p.groupby(p["x"] > 0)["i"].sum()
p.groupby(p["g"] % 2)["i"].sum()
p.groupby([p["g"] % 2, "k"])["i"].sum()
p.groupby([p["g"] % 2, p["b"]])["i"].max()
p["x"].groupby(p["k"]).sum()
p["i"].groupby([p["k"], p["b"]]).max()
p.groupby("k").x.sum()
p.groupby("k")["x"].sum(min_count=5)
p.groupby("k")["x"].std(ddof=0)
p.groupby("k")["x"].var(ddof=0) #2
p.groupby("k")["x"].agg("sum")
p.groupby("k")["x"].agg(["sum", "mean"])
p.groupby("k")["x"].agg(["min"])
p.groupby("k")["x"].agg(total="sum", largest="max")
p.groupby("k")["x"].aggregate("max")
p.groupby("k").agg({"x": "sum"})
p.groupby("k").agg({"x": "sum", "i": "max", "s": "first"})
p.groupby("k").agg({"x": ["sum", "count"], "i": "max"})
p.groupby("k").agg({"x": ["sum", "count"]})
p.groupby("k")[["x", "i"]].agg("sum")
p.groupby("k")[["x", "i"]].agg(["min", "max"])
p.groupby("k").agg(total=("x", "sum"), rows=("x", "size"), last=("s", "last"))
p.groupby("k", as_index=False).agg(total=("x", "sum"), spread=("i", "std"))
p.groupby("k", as_index=False).agg({"x": "sum", "i": "count"})
p.groupby(["k", "g"]).agg(total=("x", "sum"), n=("i", "nunique"))
p.groupby("k").agg(total=pd.NamedAgg(column="x", aggfunc="sum"))
p.groupby("k")["x"].agg("size")
p.groupby("k")["x"].sum().reset_index()
p.groupby("k")["x"].sum().reset_index(name="total")
p.groupby("k")["x"].sum().reset_index(drop=True)
p.groupby(["k", "g"])["x"].sum().reset_index()
p.groupby("k")[["x", "y"]].max().reset_index()
p.groupby("k").size().reset_index(name="rows")
p.groupby("k")["i"].sum().sort_values(ascending=False)
p.groupby("k")["i"].sum().sort_values().head(2)
p.groupby("k")["i"].sum().nlargest(2)
p.groupby("k")["i"].sum().head(3)
p.groupby("k")["i"].sum().sum()
p.groupby("k")["i"].sum().max()
p.groupby("k")["i"].sum() * 2
p.groupby("k")["i"].sum().rename("total")
p.groupby("k")["i"].sum().to_frame()
p.groupby("k")["i"].sum().sort_index(ascending=False)
q = p.groupby("k")[["x", "i"]].sum(); q["x"] / q["i"]
q = p.groupby("k")[["x", "i"]].sum(); q[q["i"] > 0]
q = p.groupby("k").agg(a=("x", "sum"), n=("x", "count")); q.assign(m=q["a"] / q["n"])
q = p.groupby("k", as_index=False)["i"].sum(); q.groupby("i").size()
q = p.groupby(["k", "g"], as_index=False)["i"].sum(); q.groupby("k")["i"].max()
p[p["x"] > 0].groupby("k")["x"].sum()
p[p["x"] > 1e18].groupby("k")["y"].sum()
p.assign(z=p["x"] * p["y"]).groupby("k")["z"].sum() #2
p.groupby("k")["x"].sum().rename(None)
p.drop_duplicates("k").groupby("g")["i"].sum()
p.head(9).groupby("k")["i"].sum()
p.sort_values("i").groupby("g")["s"].first()
p.groupby("k").sum(numeric_only=True)
p.groupby("k").mean(numeric_only=True)
"""

ORDER = """
p.sort_values("x")
p.sort_values("x", ascending=False)
p.sort_values("x", na_position="first")
p.sort_values("k", ascending=False, na_position="first")
p.sort_values(by="s")
p.sort_values(["k", "x"])
p.sort_values(["k", "i"], ascending=[False, True])
p.sort_values(["g", "k"], ascending=False, na_position="first")
p.sort_values("b")
p.sort_values("t")
p.sort_values("f")
p.sort_values("i", ignore_index=True)
p.sort_values("i", kind="stable").head(5)
p.sort_values(["b", "g"]).reset_index(drop=True)
p.sort_values("x").head(3)["k"]
p.sort_values("x")[["x", "k"]].reset_index()
p["x"].sort_values()
p["x"].sort_values(ascending=False)
p["k"].sort_values(na_position="first")
p["i"].sort_values(ignore_index=True)
p.sort_values("i")["x"]
q = p.sort_values("i"); q[q["x"] > 0]
p.sort_values("x").sort_index()
p.head()
p.head(0)
p.head(3)
p.head(1000)
p["x"].head(2)
p[p["x"] > 0].head(2)
p.head(10)[["x"]]
q = p.head(10); q[q["x"] > 0]
p.head(20)["i"].sum()
p.nlargest(3, "x")
p.nlargest(3, ["x", "i"])
p.nsmallest(3, "i")
p.nlargest(5, "i")[["k", "i"]]
p["x"].nlargest(3)
p["i"].nlargest(4)
p["i"].nsmallest(2)
p.drop_duplicates("k")
p.drop_duplicates("k", keep="last")
p.drop_duplicates("k", keep=False)
p.drop_duplicates(["k", "g"])
p.drop_duplicates(subset=["g"], keep="last")
p.drop_duplicates("x")
p.drop_duplicates("k", ignore_index=True)
p[["k", "b"]].drop_duplicates()
p["k"].drop_duplicates()
p["i"].drop_duplicates(keep="last")
p["i"].drop_duplicates(keep=False)
p[["k"]].drop_duplicates().sort_values("k")
"""

CASES: list[Case] = [
    case
    for text in (COLUMNS, FILTERS, ARITHMETIC, ASSIGN, SCALARS, GROUPS, GROUPING, ORDER)
    for case in _parse(text)
]
