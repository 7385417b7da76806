"""Compares an engine's answer with the reference; an answer that differs gets no number."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

RELATIVE_TOLERANCE = 1e-9
"""For sums and means, whose last digits depend on the order of addition."""

EXACT = {"min", "max", "count"}


def difference(answer: pa.Table, reference: pa.Table) -> str | None:
    """What is wrong with the answer, in one sentence; None if nothing is."""
    if answer.column_names != reference.column_names:
        return f"columns are {answer.column_names} instead of {reference.column_names}"
    if answer.num_rows != reference.num_rows:
        return f"{answer.num_rows:,} groups instead of {reference.num_rows:,}"
    for name in reference.column_names:
        got = answer.column(name).combine_chunks()
        expected = reference.column(name).combine_chunks()
        if got.null_count:
            return f"column {name} has {got.null_count:,} nulls, the reference has none"
        if got.type != expected.type:
            return f"column {name} is {got.type} instead of {expected.type}"
        if pa.types.is_string(expected.type) or name in EXACT:
            if not got.equals(expected):
                return f"column {name} differs"
            continue
        close = np.isclose(got.to_numpy(), expected.to_numpy(), rtol=RELATIVE_TOLERANCE, atol=0.0)
        if not close.all():
            row = int(np.argmin(close))
            values = f"{got[row].as_py()!r} instead of {expected[row].as_py()!r}"
            return f"column {name} differs in {int((~close).sum()):,} groups, first: {values}"
    return None
