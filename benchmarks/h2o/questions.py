"""The ten group-by questions of H2O.ai's db-benchmark, as a pandas user writes them.

Like its own solution for pandas they leave the groups in the order of appearance. With a data frame a question is
plain pandas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def q1(x: Any) -> Any:
    """Sum of v1 by id1."""
    return x.groupby("id1", as_index=False, sort=False).agg(v1=("v1", "sum"))


def q2(x: Any) -> Any:
    """Sum of v1 by id1 and id2."""
    return x.groupby(["id1", "id2"], as_index=False, sort=False).agg(v1=("v1", "sum"))


def q3(x: Any) -> Any:
    """Sum of v1 and mean of v3 by id3."""
    return x.groupby("id3", as_index=False, sort=False).agg(v1=("v1", "sum"), v3=("v3", "mean"))


def q4(x: Any) -> Any:
    """Means of v1, v2 and v3 by id4."""
    return x.groupby("id4", as_index=False, sort=False)[["v1", "v2", "v3"]].mean()


def q5(x: Any) -> Any:
    """Sums of v1, v2 and v3 by id6."""
    return x.groupby("id6", as_index=False, sort=False)[["v1", "v2", "v3"]].sum()


def q6(x: Any) -> Any:
    """Median and standard deviation of v3 by id4 and id5."""
    return x.groupby(["id4", "id5"], as_index=False, sort=False).agg(
        median_v3=("v3", "median"), sd_v3=("v3", "std")
    )


def q7(x: Any) -> Any:
    """Largest v1 less smallest v2 by id3."""
    ranges = x.groupby("id3", as_index=False, sort=False).agg(v1=("v1", "max"), v2=("v2", "min"))
    return ranges.assign(range_v1_v2=ranges["v1"] - ranges["v2"])[["id3", "range_v1_v2"]]


def q8(x: Any) -> Any:
    """The two largest v3 by id6."""
    known = x[x["v3"].notna()]
    largest = known.sort_values("v3", ascending=False).groupby("id6").head(2)
    return largest[["id6", "v3"]].rename(columns={"v3": "largest2_v3"})


def q9(x: Any) -> Any:
    """The squared correlation of v1 and v2 by id2 and id4, from exact sums of integers."""
    pairs = x.assign(v11=x["v1"] * x["v1"], v12=x["v1"] * x["v2"], v22=x["v2"] * x["v2"])
    sums = pairs.groupby(["id2", "id4"], as_index=False, sort=False).agg(
        n=("v1", "size"),
        v1=("v1", "sum"),
        v2=("v2", "sum"),
        v11=("v11", "sum"),
        v12=("v12", "sum"),
        v22=("v22", "sum"),
    )
    covariance = sums["n"] * sums["v12"] - sums["v1"] * sums["v2"]
    first = sums["n"] * sums["v11"] - sums["v1"] * sums["v1"]
    second = sums["n"] * sums["v22"] - sums["v2"] * sums["v2"]
    return sums.assign(r2=covariance * covariance / (first * second))[["id2", "id4", "r2"]]


def q10(x: Any) -> Any:
    """Sum of v3 and number of v1 by all six ids."""
    keys = ["id1", "id2", "id3", "id4", "id5", "id6"]
    return x.groupby(keys, as_index=False, sort=False).agg(v3=("v3", "sum"), count=("v1", "count"))


QUESTIONS: dict[str, Callable[[Any], Any]] = {
    function.__name__: function for function in (q1, q2, q3, q4, q5, q6, q7, q8, q9, q10)
}

SQL: dict[str, str] = {
    "q1": "SELECT id1, sum(v1)::BIGINT AS v1 FROM x GROUP BY id1",
    "q2": "SELECT id1, id2, sum(v1)::BIGINT AS v1 FROM x GROUP BY id1, id2",
    "q3": "SELECT id3, sum(v1)::BIGINT AS v1, avg(v3) AS v3 FROM x GROUP BY id3",
    "q4": "SELECT id4, avg(v1) AS v1, avg(v2) AS v2, avg(v3) AS v3 FROM x GROUP BY id4",
    "q5": "SELECT id6, sum(v1)::BIGINT AS v1, sum(v2)::BIGINT AS v2, sum(v3) AS v3 FROM x GROUP BY id6",
    "q6": "SELECT id4, id5, median(v3) AS median_v3, stddev(v3) AS sd_v3 FROM x GROUP BY id4, id5",
    "q7": "SELECT id3, max(v1) - min(v2) AS range_v1_v2 FROM x GROUP BY id3",
    "q8": (
        "SELECT id6, v3 AS largest2_v3 FROM (SELECT id6, v3, row_number() OVER"
        " (PARTITION BY id6 ORDER BY v3 DESC) AS place FROM x WHERE v3 IS NOT NULL) AS ranked"
        " WHERE place <= 2"
    ),
    "q9": "SELECT id2, id4, power(corr(v1, v2), 2) AS r2 FROM x GROUP BY id2, id4",
    "q10": (
        "SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS v3, count(v1) AS count"
        " FROM x GROUP BY id1, id2, id3, id4, id5, id6"
    ),
}
"""The same questions over a table `x`, in any order of rows."""
