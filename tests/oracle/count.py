"""How many answers the oracle tests compare: `python -m tests.oracle.count`; the documentation takes its numbers here."""

from __future__ import annotations

import contextlib
import io
import json
import sys

import pytest


class _Collector:
    """Counts what pytest collects, by file."""

    def __init__(self) -> None:
        self.tests: dict[str, int] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self.tests[item.path.stem] = self.tests.get(item.path.stem, 0) + 1


def counts() -> dict[str, object]:
    """Tests by file, cases of plain pandas code, tables they run on, examples of pandas' documentation."""
    collector = _Collector()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-q", "-W", "ignore", "tests/oracle"], plugins=[collector])
    # Only now: pytest rewrites what it imports first.
    from rlm_hypervisor import RLMClient

    from tests.oracle._cases import CASES
    from tests.oracle._docs import outcomes
    from tests.oracle._run import COMBINATIONS
    from tests.oracle._tables import catalogue
    from tests.oracle.test_pandas_docs import TEXTS

    found: dict[str, int] = {}
    with RLMClient(threads=2) as client:
        for (_, method), text in TEXTS.items():
            for outcome in outcomes(client, method, text, ("auto",)):
                found[outcome.what] = found.get(outcome.what, 0) + 1
    tables = len(catalogue())
    return {
        "tests": dict(sorted(collector.tests.items())),
        "tests_in_all": sum(collector.tests.values()),
        "cases": len(CASES),
        "tables": tables,
        "answers_of_cases": len(CASES) * (tables - 1 + len(COMBINATIONS)),
        "pandas_documentation": dict(sorted(found.items())),
    }


if __name__ == "__main__":
    json.dump(counts(), sys.stdout, indent=1)
    print()
