"""Polars with its in-memory engine."""

from __future__ import annotations

from typing import ClassVar, Literal

from engines._base import Engine
from engines._polars import Polars


class PolarsInMemory(Polars):
    engine: ClassVar[Literal["streaming", "in-memory"]] = "in-memory"


ENGINE: type[Engine] = PolarsInMemory
