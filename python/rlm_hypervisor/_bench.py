"""Measurements for the benchmarks; not part of the public interface."""

from __future__ import annotations

from collections.abc import Sequence

from rlm_hypervisor import _core


def decode_seconds(source: str, columns: Sequence[str], threads: int) -> float:
    """Seconds that the reader needs to decode these columns and do nothing else."""
    return _core.decode_seconds(source, list(columns), threads)
