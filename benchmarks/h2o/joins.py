"""The five joins of H2O.ai's db-benchmark, as a pandas user writes them: the first parameter is the partition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def j1(x: Any, small: Any) -> Any:
    """Inner join with the small table on an integer."""
    return x.merge(small, on="id1", suffixes=("", "_right"))


def j2(x: Any, medium: Any) -> Any:
    """Inner join with the medium table on an integer."""
    return x.merge(medium, on="id2", suffixes=("", "_right"))


def j3(x: Any, medium: Any) -> Any:
    """Left join with the medium table on an integer."""
    return x.merge(medium, how="left", on="id2", suffixes=("", "_right"))


def j4(x: Any, medium: Any) -> Any:
    """Inner join with the medium table on a string."""
    return x.merge(medium, on="id5", suffixes=("", "_right"))


def j5(x: Any, big: Any) -> Any:
    """Inner join with the big table on an integer."""
    return x.merge(big, on="id3", suffixes=("", "_right"))


JOINS: dict[str, Callable[..., Any]] = {function.__name__: function for function in (j1, j2, j3, j4, j5)}

SQL: dict[str, str] = {
    "j1": 'SELECT x.*, small.id4 AS "id4_right", v2 FROM x JOIN small ON x.id1 = small.id1',
    "j2": (
        'SELECT x.*, medium.id1 AS "id1_right", medium.id4 AS "id4_right", medium.id5 AS "id5_right", v2'
        " FROM x JOIN medium ON x.id2 = medium.id2"
    ),
    "j3": (
        'SELECT x.*, medium.id1 AS "id1_right", medium.id4 AS "id4_right", medium.id5 AS "id5_right", v2'
        " FROM x LEFT JOIN medium ON x.id2 = medium.id2"
    ),
    "j4": (
        'SELECT x.*, medium.id1 AS "id1_right", medium.id2 AS "id2_right", medium.id4 AS "id4_right", v2'
        " FROM x JOIN medium ON x.id5 = medium.id5"
    ),
    "j5": (
        'SELECT x.*, big.id1 AS "id1_right", big.id2 AS "id2_right", big.id4 AS "id4_right",'
        ' big.id5 AS "id5_right", big.id6 AS "id6_right", v2 FROM x JOIN big ON x.id3 = big.id3'
    ),
}
"""The same joins, with the columns in the same order, in any order of rows."""
