"""Output under a key: a task that comes again does not write twice, and one that was killed leaves nothing half done."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset as pad
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import InvalidTaskError, RLMClient

from tests.conftest import ROOT
from tests.io.conftest import BUCKET, Store

ROWS = 3_000
MODES = ["append", "overwrite", "error", "ignore"]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def client(state: Path) -> Iterator[RLMClient]:
    with RLMClient(threads=2, workers=1, state_dir=state) as client:
        yield client


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.parquet"
    pd.DataFrame({"n": range(ROWS), "k": [n % 3 for n in range(ROWS)]}).to_parquet(path, row_group_size=500)
    return path


def even(p: Any) -> Any:
    return p[p["n"] % 2 == 0]


def task(
    source: Any, url: Any, *, key: str = "job", operation: Any = even, mode: str = "append", **more: Any
) -> dict[str, Any]:
    options = {"idempotencyKey": key, **more.pop("options", {})}
    return {
        "type": "parallel",
        "input": {"source": source, "operation": operation},
        "output": {"url": str(url), "mode": mode, **more},
        "options": options,
    }


def rows(path: Path) -> list[int]:
    if path.is_file():
        return sorted(pq.read_table(path)["n"].to_pylist())
    return sorted(pad.dataset(path, partitioning="hive").to_table()["n"].to_pylist())


def records(log: Path) -> list[int]:
    """Where the records of a key's file end."""
    bytes_, ends, at = log.read_bytes(), [], 8
    while at < len(bytes_):
        head, body = struct.unpack_from("<IQ", bytes_, at)
        at += 16 + head + body
        ends.append(at)
    return ends


def forget_the_end(state: Path) -> None:
    """What is kept of the key as if the process had died before it noted that all was shown."""
    (log,) = (state / "runs").glob("*.log")
    ends = records(log)
    assert len(ends) == 3
    os.truncate(log, ends[-2])


EVEN = list(range(0, ROWS, 2))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("partitioned", [False, True])
def test_a_task_that_comes_again_does_not_write_twice(
    client: RLMClient, source: Path, tmp_path: Path, state: Path, mode: str, partitioned: bool
) -> None:
    out = tmp_path / "out"
    asked = task(source, out, mode=mode, **({"partitionBy": "k"} if partitioned else {}))
    first = client.execute(asked)
    assert rows(out) == EVEN
    again = client.execute(asked)
    with RLMClient(threads=1, state_dir=state) as other:
        later = other.execute(asked)
    assert rows(out) == EVEN
    assert first.files == again.files == later.files and not again.skipped
    # The same where it is not known that the first one has ended.
    forget_the_end(state)
    assert client.execute(asked).files == first.files
    assert rows(out) == EVEN
    assert client.forget("job")
    if mode == "error":
        with pytest.raises(Exception, match="exists already"):
            client.execute(asked)
    else:
        client.execute(asked)
        assert rows(out) == (sorted(EVEN * 2) if mode == "append" else EVEN)


@pytest.mark.parametrize("mode", ["overwrite", "error", "ignore"])
def test_one_file(client: RLMClient, source: Path, tmp_path: Path, state: Path, mode: str) -> None:
    out = tmp_path / "out.parquet"
    asked = task(source, out, mode=mode)
    first = client.execute(asked)
    inode = out.stat().st_ino
    forget_the_end(state)
    assert client.execute(asked).files == first.files
    assert client.execute(asked).files == first.files
    assert out.stat().st_ino == inode and rows(out) == EVEN


def test_what_was_intended_and_is_not_there_is_written(
    client: RLMClient, source: Path, tmp_path: Path, state: Path
) -> None:
    out = tmp_path / "out"
    client.execute(
        task(tmp_path / "source.parquet", out, key="before", operation=lambda p: p[p["n"] % 2 == 1])
    )
    (state / "runs" / "before.log").unlink()
    asked = task(source, out)
    written = client.execute(asked)
    forget_the_end(state)
    for file in written.files:
        os.unlink(file.path)
    client.execute(asked)
    assert rows(out) == list(range(ROWS))


def test_another_task_is_refused(client: RLMClient, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    client.execute(task(source, out))
    for other, what in [
        (task(source, out, operation=lambda p: p[p["n"] % 2 == 1]), "code"),
        (task(source, tmp_path / "elsewhere"), "document"),
        (task(source, out, mode="overwrite"), "document"),
        (
            {**task(source, out), "input": {"source": pd.read_parquet(source), "operation": even}},
            "input|code",
        ),
    ]:
        with pytest.raises(InvalidTaskError, match=f"belongs to another task.*({what})"):
            client.execute(other)
    assert rows(out) == EVEN
    client.execute(task(source, out, key="other"))
    assert rows(out) == sorted(EVEN * 2)


def test_tables_and_constants_are_part_of_the_task(client: RLMClient, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def few(limit: int, names: pd.DataFrame) -> Any:
        table = client.table(names)
        return lambda p: p[p["n"] < limit].merge(table, on="k")

    names = pd.DataFrame({"k": [0, 1, 2], "name": ["a", "b", "c"]})
    for _ in range(2):
        client.execute(task(source, out, operation=few(10, names)))
    assert rows(out) == list(range(10))
    for operation in (few(11, names), few(10, names.assign(name="x"))):
        with pytest.raises(InvalidTaskError, match="belongs to another task"):
            client.execute(task(source, out, operation=operation))


def test_in_workers_and_of_queries(client: RLMClient, source: Path, tmp_path: Path, state: Path) -> None:
    def in_python(df: Any) -> Any:
        return df.to_pandas()[lambda d: d["n"] % 2 == 0]

    asked = task(source, tmp_path / "python", operation=in_python, options={"mode": "python"})
    first = client.execute(asked)
    forget_the_end(state)
    assert client.execute(asked).files == first.files == client.execute(asked).files
    assert rows(tmp_path / "python") == EVEN
    query = task(
        source, tmp_path / "sql", key="sql", operation={"sql": "select n, k from partition where n % 2 = 0"}
    )
    for _ in range(2):
        client.execute(query)
    assert rows(tmp_path / "sql") == EVEN


def test_a_key_has_one_run_at_a_time_and_a_failed_one_leaves_it(
    client: RLMClient, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for _ in range(5):
        run = client.submit(task(source, out))
        run.cancel()
        run.wait()
    client.execute(task(source, out))
    assert rows(out) == EVEN


PROGRAM = """
    import sys
    from rlm_hypervisor import RLMClient

    source, url, state, mode, by, *store = sys.argv[1:]

    def even(p):
        return p[p["n"] % 2 == 0]

    with RLMClient(threads=2, state_dir=state) as client:
        print("ready", flush=True)
        output = {"url": url, "mode": mode, "maxRowsPerFile": 100}
        if by:
            output["partitionBy"] = by
        client.execute({
            "type": "parallel",
            "input": {"source": source, "operation": even},
            "output": output,
            "options": {"idempotencyKey": sys.argv[6] if len(sys.argv) > 6 else "job"},
        })
        print("done", flush=True)
"""


def attempt(arguments: list[str], environment: dict[str, str], kill_after: float | None) -> bool:
    """Runs the program; whether it came to its end."""
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), **environment}
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if kill_after is not None:
            time.sleep(kill_after)
            process.send_signal(signal.SIGKILL)
        return process.stdout.readline() == "done\n"


@pytest.mark.parametrize(("mode", "by"), [("append", ""), ("append", "k"), ("overwrite", "k")])
def test_killed_at_any_moment_nothing_is_lost_or_there_twice(
    source: Path, tmp_path: Path, state: Path, mode: str, by: str
) -> None:
    out = tmp_path / "out"
    chance = random.Random(mode + by)
    for round_ in range(2):
        arguments = [str(source), str(out), str(state), mode, by, f"job{round_}"]
        for _ in range(3):
            attempt(arguments, {}, chance.uniform(0, 0.3))
            there = rows(out) if out.exists() else []
            # Whole writes, or nothing of them.
            assert len(there) % len(EVEN) == 0
        assert attempt(arguments, {}, None)
        assert rows(out) == (sorted(EVEN * (round_ + 1)) if mode == "append" else EVEN)


def objects(store: Store, prefix: str) -> list[str]:
    listed = store.boto.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return sorted(entry["Key"] for entry in listed.get("Contents", []))


def rows_there(store: Store, prefix: str) -> list[int]:
    import io

    found: list[int] = []
    for key in objects(store, prefix):
        if not key.endswith("_SUCCESS"):
            body = store.boto.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            found += pq.read_table(io.BytesIO(body))["n"].to_pylist()
    return sorted(found)


@pytest.mark.parametrize("mode", ["append", "overwrite", "error"])
def test_in_a_store(s3: Store, source: Path, state: Path, mode: str) -> None:
    with RLMClient(threads=2, state_dir=state, storage_options=s3.options) as client:
        prefix = f"keyed/{mode}/out"
        more = {"maxRowsPerFile": 100, "successMarker": True}
        if mode != "error":
            client.execute(task(source, f"s3://{BUCKET}/{prefix}", key="old", mode="append", **more))
            (state / "runs" / "old.log").unlink()
        asked = task(source, f"s3://{BUCKET}/{prefix}", mode=mode, **more)
        written = client.execute(asked)
        expected = sorted(EVEN * 2) if mode == "append" else EVEN
        assert rows_there(s3, prefix) == expected
        # It is not known that it has ended, and all is there.
        forget_the_end(state)
        assert client.execute(asked).files == written.files
        assert client.execute(asked).files == written.files
        assert rows_there(s3, prefix) == expected
        # It was killed when some of its files could be seen.
        forget_the_end(state)
        for file in written.files[1:4]:
            s3.boto.delete_object(Bucket=BUCKET, Key=file.path.split(f"{BUCKET}/", 1)[1])
        s3.boto.delete_object(Bucket=BUCKET, Key=f"{prefix}/_SUCCESS")
        client.execute(asked)
        assert rows_there(s3, prefix) == expected and f"{prefix}/_SUCCESS" in objects(s3, prefix)
        # One object.
        one = task(
            source,
            f"s3://{BUCKET}/keyed/{mode}.parquet",
            key="one",
            mode="overwrite" if mode == "append" else mode,
        )
        (state / "runs" / "job.log").unlink()
        first = client.execute(one)
        when = s3.boto.head_object(Bucket=BUCKET, Key=f"keyed/{mode}.parquet")["LastModified"]
        forget_the_end(state)
        assert client.execute(one).files == first.files
        assert s3.boto.head_object(Bucket=BUCKET, Key=f"keyed/{mode}.parquet")["LastModified"] == when


def test_killed_while_it_writes_to_a_store(s3: Store, source: Path, state: Path) -> None:
    chance = random.Random(5)
    prefix = "killed/out"
    for round_ in range(2):
        arguments = [str(source), f"s3://{BUCKET}/{prefix}", str(state), "append", "", f"job{round_}"]
        for _ in range(3):
            attempt(arguments, s3.environment, chance.uniform(0, 0.5))
        assert attempt(arguments, s3.environment, None)
        assert rows_there(s3, prefix) == sorted(EVEN * (round_ + 1))
