"""Parquet files of others that a package carries: what pyarrow and pandas read of them is what we read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient

FOLDER = Path(pa.__file__).parent / "tests" / "data" / "parquet"
# And what Rust's own crate carries, where it was fetched for the build.
CRATES = Path.home() / ".cargo" / "registry" / "src"
FILES = sorted(FOLDER.glob("*.parquet")) + sorted(CRATES.glob("*/parquet-*/tests/**/*.parquet"))


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        yield client


@pytest.mark.skipif(not FILES, reason="this pyarrow comes without its test files")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_of_old_writers(client: RLMClient, path: Path) -> None:
    table = client.read(path)
    assert table.schema.rows == pq.ParquetFile(path).metadata.num_rows
    found, wanted = table.to_pandas(), pd.read_parquet(path)
    pd.testing.assert_frame_equal(
        found.reset_index(), wanted.reset_index(), check_dtype=False, check_column_type=False
    )
