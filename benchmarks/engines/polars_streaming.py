"""Polars with its streaming engine."""

from __future__ import annotations

from typing import ClassVar, Literal

from engines._base import Engine
from engines._polars import Polars


class PolarsStreaming(Polars):
    engine: ClassVar[Literal["streaming", "in-memory"]] = "streaming"


ENGINE: type[Engine] = PolarsStreaming
