"""Random programs of merges, groupings, pivots and lists: equal to pandas, for a fixed set of numbers.

`python -m tests.oracle.test_programs pivot 1000 2000` tries others.
"""

from __future__ import annotations

import random
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rlm_hypervisor import NotDecomposableError, RLMClient, RLMError

from tests.conftest import make_task
from tests.oracle._compare import Allowance, assert_same
from tests.oracle._programs import FAMILIES, program
from tests.oracle._run import stable_sorts
from tests.oracle._tables import to_pandas, write_files

NUMBERS = range(40)
ALLOWED = Allowance(integers=True, widened=True, means=True, noop=True, loose=True, bound=1e-9)

SLIPS = re.compile(
    "single positional indexer is out-of-bounds"  # Shares of nothing with margins.
    "|None of .MultiIndex.* are in the"  # Margins where a time is one of several keys of columns.
    "|cannot insert .*, already exists"  # Margins of aggregates by several keys, `reset_index` after them.
    "|cannot construct ChunkedArray from empty vector"  # Merges of nothing.
    "|Can only use .str accessor"  # Lists where there is no row.
)
"""Where pandas raises though the question has an answer."""


def check(
    client: RLMClient, family: str, number: int, chunk: int | str, folder: Callable[[], Path] | None
) -> str:
    """Runs a program both ways; says how it went, or fails."""
    made = program(family, number)
    with warnings.catch_warnings(), np.errstate(all="ignore"), stable_sorts():
        warnings.simplefilter("ignore")
        try:
            expected, raised = made.operation(to_pandas(made.left), to_pandas(made.right)), None
        except Exception as error:
            expected, raised = None, error
    source: Any = made.left if folder is None else str(write_files(made.left, folder()))
    right = client.table(made.right)
    try:
        got = client.execute(make_task(source, lambda p: made.operation(p, right), chunkSize=chunk))
    except NotDecomposableError:
        return "refused"
    except RLMError as error:
        if raised is None or error.code == "INTERNAL":
            raise AssertionError(f"{error}\n{made.text}") from error
        return "both raise"
    assert raised is None or SLIPS.search(str(raised)), f"pandas raised {raised!r}\n{made.text}"
    if raised is not None:
        return "pandas raises"
    try:
        assert_same(got, expected, ALLOWED)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{made.text}") from None
    return "equal"


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_programs(family: str, number: int, clients: Callable[[int], RLMClient], tmp_path: Path) -> None:
    rng = random.Random(number)
    for chunk, threads in rng.sample([(1, 1), (3, 2), (7, 1), ("auto", 2)], 2):
        folder = (lambda chunk=chunk: tmp_path / str(chunk)) if rng.random() < 0.5 else None
        check(clients(threads), family, number, chunk, folder)


if __name__ == "__main__":
    family, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    counts: dict[str, int] = {}
    with RLMClient(threads=2, mode="native") as client:
        for number in range(first, last):
            try:
                outcome = check(client, family, number, (1, 7, "auto")[number % 3], None)
            except AssertionError as error:
                outcome = "different"
                print(f"--- {family} {number}\n{error}")
            counts[outcome] = counts.get(outcome, 0) + 1
    print(counts)
