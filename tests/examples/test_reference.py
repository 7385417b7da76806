"""The API reference: built from docstrings, with what classes have from their bases, and nothing that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRESENT = {
    "rlm_hypervisor.html": [
        "RLMClient.execute",
        "RLMClient.dead_letters",
        "Run.explain",
        "Result.to_polars",
        "Partition.groupby",
        "Partition.merge",
        "Column.sum",
        "Column.cumsum",
        "RLMError.code",
        "ParallelTask",
    ],
    "rlm_hypervisor/partition.html": ["DataFrameGroupBy.agg", "SeriesGroupBy.nlargest", "Scalar.round"],
    "rlm_hypervisor/partition/strings.html": ["StringMethods.upper"],
    "rlm_hypervisor/errors.html": ["NotDecomposableError", "SourceUnreadableError"],
    "rlm_hypervisor/secrets.html": ["Secrets.get"],
}


def test_the_reference_is_whole(tmp_path: Path) -> None:
    pytest.importorskip("pdoc")
    script = str(ROOT / "scripts" / "reference.py")
    run = subprocess.run(
        [sys.executable, script, str(tmp_path)], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    for page, names in PRESENT.items():
        text = (tmp_path / page).read_text(encoding="utf-8")
        for name in names:
            assert f'id="{name}"' in text, f"{name} is not in {page}"
