"""Tables of many columns within little memory: what is said of each column of each row group is kept to the end of a file,
so files end before it takes the place of the rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient

from tests.io.test_output import task

COLUMNS, ROWS = 1_000, 20_000
LIMIT = 64 << 20


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(5)
    table = pa.table({f"c{n}": random.integers(0, 1000, ROWS) for n in range(COLUMNS)})
    path = tmp_path_factory.mktemp("wide") / "rows.parquet"
    pq.write_table(table, path, row_group_size=ROWS // 4)
    return path


def test_files_end_before_their_description_takes_all_room(source: Path, tmp_path: Path) -> None:
    with RLMClient(threads=1, memory_limit=LIMIT) as client:
        run = client.submit(task(str(source), str(tmp_path / "out/")))
        written = run.result()
        assert run.metrics()["memory_peak_bytes"] <= LIMIT
    paths = sorted((tmp_path / "out").glob("*.parquet"))
    assert len(paths) > 1
    assert [str(path) for path in paths] == [file.path for file in written.files]
    assert [file.rows for file in written.files] == [pq.read_metadata(path).num_rows for path in paths]
    # By name they are in the order of the rows.
    assert pa.concat_tables([pq.read_table(path) for path in paths]).equals(pq.read_table(source))
