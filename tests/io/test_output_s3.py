"""Writing to S3: nothing is seen before it is complete, nothing is left behind, and others read it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import InvalidTaskError, OutputFailedError, RLMClient

from tests.io.conftest import BUCKET, SECRET, Store
from tests.io.test_output import everything, task

ROWS = 30_000


@pytest.fixture
def remote(s3: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[RLMClient]:
    for name in s3.environment:
        monkeypatch.delenv(name, raising=False)
    with RLMClient(threads=2, storage_options=s3.options) as client:
        yield client


@pytest.fixture
def prefix(s3: Store, request: pytest.FixtureRequest) -> Iterator[str]:
    """A place of the test's own."""
    name = f"out-{abs(hash(request.node.nodeid))}"
    yield name
    assert uploads(s3, name) == []


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pa.table({"n": list(range(ROWS)), "k": [f"key {i % 7}" if i % 5 else None for i in range(ROWS)]})


def keys(s3: Store, prefix: str) -> list[str]:
    found = s3.boto.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return [entry["Key"] for entry in found]


def uploads(s3: Store, prefix: str) -> list[str]:
    """Uploads below a prefix that nobody has completed; those that were given up are gone a moment later."""
    end = time.monotonic() + 20
    while True:
        all_of_them = s3.boto.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        found = [entry["Key"] for entry in all_of_them if entry["Key"].startswith(prefix)]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def body(s3: Store, key: str) -> bytes:
    return bytes(s3.boto.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def numbers(s3: Store, prefix: str) -> list[int]:
    data = [key for key in keys(s3, prefix) if key.endswith(".parquet")]
    return [n for key in data for n in pq.ParquetFile(io.BytesIO(body(s3, key))).read()["n"].to_pylist()]


def test_one_object(remote: RLMClient, s3: Store, table: pa.Table, prefix: str) -> None:
    url = f"s3://{BUCKET}/{prefix}/out.csv.gz"
    written = remote.execute(task(table, url))
    assert [file.path for file in written.files] == [url]
    found = pd.read_csv(io.BytesIO(body(s3, f"{prefix}/out.csv.gz")), compression="gzip")
    assert found["n"].tolist() == list(range(ROWS))
    with pytest.raises(OutputFailedError, match="exists already"):
        remote.execute(task(table, url))
    assert remote.execute(task(table, {"url": url, "mode": "ignore"})).skipped
    remote.execute(task(table.slice(0, 3), {"url": url, "mode": "overwrite"}))
    assert len(pd.read_csv(io.BytesIO(body(s3, f"{prefix}/out.csv.gz")), compression="gzip")) == 3


def test_a_directory(remote: RLMClient, s3: Store, table: pa.Table, prefix: str) -> None:
    url = f"s3://{BUCKET}/{prefix}"
    output = {"url": url, "maxRowsPerFile": 10_000, "successMarker": True}
    written = remote.execute(task(table, output))
    assert [file.path for file in written.files] == [
        f"s3://{BUCKET}/{key}" for key in keys(s3, prefix) if "part-" in key
    ]
    assert f"{prefix}/_SUCCESS" in keys(s3, prefix)
    assert numbers(s3, prefix) == list(range(ROWS))
    read = remote.execute({"type": "parallel", "input": {"source": url, "operation": everything}})
    assert read.to_arrow()["n"].to_pylist() == list(range(ROWS))
    remote.execute(task(table, {"url": url, "mode": "append"}))
    assert numbers(s3, prefix) == list(range(ROWS)) * 2
    # The source itself.
    remote.execute(task(url, {"url": url, "mode": "overwrite"}, lambda p: p[p["n"] % 2 == 0]))
    assert numbers(s3, prefix) == list(range(0, ROWS, 2)) * 2
    assert f"{prefix}/_SUCCESS" not in keys(s3, prefix)
    with pytest.raises(OutputFailedError, match="exists already"):
        remote.execute(task(table, url))
    s3.boto.put_object(Bucket=BUCKET, Key=f"{prefix}/thesis.tex", Body=b"years of work")
    with pytest.raises(OutputFailedError, match=r"thesis\.tex"):
        remote.execute(task(table, {"url": url, "mode": "overwrite"}))


def test_partitions(remote: RLMClient, s3: Store, table: pa.Table, prefix: str) -> None:
    url = f"s3://{BUCKET}/{prefix}"
    odd = table.append_column("d", pa.array(["a/b", "100%", "é"] * (ROWS // 3)))
    written = remote.execute(task(odd, {"url": url, "partitionBy": ["k", "d"], "successMarker": True}))
    found = keys(s3, prefix)
    assert len(written.files) == len(found) - 1
    assert any("/k=key 1/d=a%2Fb/part-" in key for key in found)
    assert any("/k=__HIVE_DEFAULT_PARTITION__/d=100%25/part-" in key for key in found)
    assert sorted(numbers(s3, prefix)) == list(range(ROWS))


def test_little_memory_parks_files_on_disk(s3: Store, remote: RLMClient, tmp_path: Path, prefix: str) -> None:
    with RLMClient(threads=2, storage_options=s3.options, spill_dir=str(tmp_path)) as client:
        rows = 400_000
        table = pa.table({"n": list(range(rows)), "k": [i % 40 for i in range(rows)]})
        url = f"s3://{BUCKET}/{prefix}"
        client.execute(task(table, {"url": url, "partitionBy": "k"}, memoryLimit=20_000_000))
        assert sorted(numbers(s3, prefix)) == list(range(rows))
        assert not list(tmp_path.rglob("rlm-upload-*"))


def test_large_files_go_in_parts(remote: RLMClient, s3: Store, prefix: str) -> None:
    rows = 3_000_000
    table = pa.table({"n": pa.array(range(rows), pa.int64())})
    url = f"s3://{BUCKET}/{prefix}/out.arrow"
    written = remote.execute(task(table, url))
    data = body(s3, f"{prefix}/out.arrow")
    assert len(data) == written.bytes > 16 << 20
    assert pa.ipc.open_file(data).read_all()["n"].to_pylist() == list(range(rows))
    assert s3.boto.head_object(Bucket=BUCKET, Key=f"{prefix}/out.arrow")["ETag"].endswith('-3"')


@pytest.mark.parametrize("stop", ["cancel", "deadline", "failure"])
def test_what_was_stopped_leaves_nothing(remote: RLMClient, s3: Store, prefix: str, stop: str) -> None:
    rows = 2_000_000
    table = pa.table(
        {"n": pa.array(range(rows), pa.int64()), "x": pa.array([0.5] * (rows - 1) + [float("inf")])}
    )
    url = f"s3://{BUCKET}/{prefix}"
    if stop == "failure":
        with pytest.raises(OutputFailedError, match="infinite"):
            remote.execute(task(table, {"url": f"{url}/out.jsonl"}))
    elif stop == "deadline":
        run = remote.submit(task(table.drop_columns("x"), {"url": f"{url}/out.csv"}, timeoutMs=300))
        run.wait()
    else:
        run = remote.submit(task(table.drop_columns("x"), {"url": f"{url}/out.csv"}))
        threading.Event().wait(0.15)
        run.cancel()
        run.wait()
    assert uploads(s3, prefix) == []
    done = stop != "failure" and run.state == "succeeded"
    assert keys(s3, prefix) == ([f"{prefix}/out.csv"] if done else [])


def test_a_result_is_written_with_the_clients_options(
    remote: RLMClient, s3: Store, table: pa.Table, prefix: str
) -> None:
    answer = remote.execute({"type": "parallel", "input": {"source": table, "operation": everything}})
    answer.write.parquet(f"s3://{BUCKET}/{prefix}/out.parquet")
    assert numbers(s3, prefix) == list(range(ROWS))
    remote.close()
    with pytest.raises(InvalidTaskError, match="client"):
        answer.write.parquet(f"s3://{BUCKET}/{prefix}/more.parquet")


def test_what_is_wrong_is_said_without_secrets(s3: Store, remote: RLMClient, table: pa.Table) -> None:
    with pytest.raises(OutputFailedError, match="bucket does not exist") as caught:
        remote.execute(task(table, "s3://nowhere-at-all/out"))
    assert SECRET not in str(caught.value)
    with pytest.raises(InvalidTaskError, match="web servers"):
        remote.submit(task(table, "https://example.org/out.csv"))
    with pytest.raises(InvalidTaskError, match="credentials"):
        remote.submit(task(table, "s3://key:hunter2@bucket/out"))
