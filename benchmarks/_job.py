"""One question of a suite, as it travels to an engine's process, and the suites themselves."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import data


@dataclass(frozen=True)
class Suite:
    """A set of questions over the same tables: where its functions are, and its data by size."""

    name: str
    title: str
    questions: str
    """`module:attribute` of the pandas functions by name; their parameters are the tables they need."""
    sql: str
    polars: str
    tables: Callable[[float], dict[str, Path]]
    """Size (rows, or the scale factor) -> directory of each table; generated if need be."""
    unit: str

    @property
    def names(self) -> list[str]:
        return list(load(self.questions))


def load(place: str) -> Any:
    """What `module:attribute` names."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _grouped(rows: float) -> dict[str, Path]:
    from h2o.data import ensure_grouped

    return ensure_grouped(int(rows), data.cache_dir())


def _joined(rows: float) -> dict[str, Path]:
    from h2o.data import ensure_joined

    return ensure_joined(int(rows), data.cache_dir())


def _tpch(scale: float) -> dict[str, Path]:
    from tpch.data import ensure

    return ensure(scale, data.cache_dir())


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "h2o_groupby",
            "The group-by questions of db-benchmark",
            "h2o.questions:QUESTIONS",
            "h2o.questions:SQL",
            "h2o.in_polars:POLARS",
            _grouped,
            "rows",
        ),
        Suite(
            "h2o_join",
            "The joins of db-benchmark",
            "h2o.joins:JOINS",
            "h2o.joins:SQL",
            "h2o.in_polars:POLARS",
            _joined,
            "rows",
        ),
        Suite(
            "tpch",
            "The queries of TPC-H",
            "tpch.queries:QUERIES",
            "tpch.sql:SQL",
            "tpch.in_polars:POLARS",
            _tpch,
            "scale factor",
        ),
    )
}


@dataclass(frozen=True)
class Job:
    """A question asked of one engine."""

    suite: str
    question: str
    tables: dict[str, str]
    """Directory of every table of the suite."""
    calls: int = 1

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @property
    def function(self) -> Callable[..., Any]:
        found: Callable[..., Any] = load(SUITES[self.suite].questions)[self.question]
        return found

    @property
    def needs(self) -> dict[str, str]:
        """The tables of this question, the partition first."""
        from tpch.queries import tables_of

        return {name: self.tables[name] for name in tables_of(self.function)}

    @property
    def sql(self) -> str:
        return str(load(SUITES[self.suite].sql)[self.question])
