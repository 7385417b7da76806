"""The job as SQL, for engines that are asked in it."""

from __future__ import annotations

from _spec import Variant

FUNCTIONS = {"sum": "sum", "mean": "avg", "min": "min", "max": "max", "count": "count"}


def query(variant: Variant, table: str) -> str:
    """One select over `table`, which is inserted as it is."""
    keys = ", ".join(variant.keys)
    outputs = ", ".join(
        f'{FUNCTIONS[aggregate]}(value) AS "{output}"'
        for output, aggregate in zip(variant.outputs, variant.aggregates, strict=True)
    )
    where = f" WHERE value > {variant.above}" if variant.above is not None else ""
    return f"SELECT {keys}, {outputs} FROM {table}{where} GROUP BY {keys}"
