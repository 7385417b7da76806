"""Writing to an S3 server that fails: all of it once, or nothing of it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import OutputFailedError, RLMClient, TaskCancelledError

from tests.conftest import ROOT
from tests.faults._workers import until
from tests.io._proxy import Fault, Proxy
from tests.io.conftest import BUCKET, Store
from tests.io.test_output import everything, task
from tests.io.test_output_s3 import keys, numbers, uploads
from tests.io.test_s3_faults import discreet

ROWS = 20_000
TABLE = pa.table({"n": list(range(ROWS)), "k": [n % 3 for n in range(ROWS)]})
"""Its files are small: each is put as a whole when all are there."""
SPLIT = {"maxRowsPerFile": 5_000, "successMarker": True}
MANY = 2_100
LARGE = pa.table({"n": list(range(MANY)), "x": [os.urandom(12_000) for _ in range(MANY)]})
"""Its files are uploads of two parts each."""
HALVES = {"maxRowsPerFile": MANY // 3, "successMarker": True}


@pytest.fixture(scope="module")
def proxy(s3: Store) -> Iterator[Proxy]:
    with Proxy(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def prefix(s3: Store, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"faulty-{abs(hash(request.node.nodeid))}"
    yield name
    assert uploads(s3, name) == []


def complete(s3: Store, prefix: str, rows: int = ROWS) -> None:
    """Everything is there once, and nothing else."""
    found = keys(s3, f"{prefix}/")
    assert sorted(numbers(s3, f"{prefix}/")) == list(range(rows))
    assert all(key.endswith("_SUCCESS") or "/part-" in key for key in found), found


STEPS = {
    "begin": ("POST", "?uploads"),
    "part": ("PUT", "partNumber"),
    "complete": ("POST", "?uploadId"),
    "put": ("PUT", "/part-"),
    "marker": ("PUT", "_SUCCESS"),
    "look": ("GET", "list-type=2"),
}
UPLOADING = ("begin", "part", "complete")
PASSING: dict[str, Callable[[str, str], Fault]] = {
    "429": lambda method, part: Fault("status", method, part, 2, status=429),
    "500": lambda method, part: Fault("status", method, part, 2, status=500, code="InternalError"),
    "503": lambda method, part: Fault("status", method, part, 2),
    "closed unread": lambda method, part: Fault("refused", method, part, 2),
    "slow": lambda method, part: Fault("slow", method, part, 2),
    "done and not said": lambda method, part: Fault("lost", method, part, 1),
}


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("step", STEPS)
def test_what_passes_is_retried(
    remote: RLMClient, proxy: Proxy, s3: Store, prefix: str, step: str, fault: str
) -> None:
    if (step, fault) == ("begin", "done and not said"):
        pytest.skip("the upload that was begun without a word is for the bucket's own rule to clean up")
    proxy.fail(PASSING[fault](*STEPS[step]))
    table, split = (LARGE, HALVES) if step in UPLOADING else (TABLE, SPLIT)
    remote.execute(task(table, {"url": f"s3://{BUCKET}/{prefix}", **split}))
    assert proxy.happened()[0] >= 1
    complete(s3, prefix, len(table))
    assert f"{prefix}/_SUCCESS" in keys(s3, prefix)


@pytest.mark.parametrize("mode", ["error", "overwrite"])
def test_one_file_whose_completion_is_not_said(
    remote: RLMClient, proxy: Proxy, s3: Store, prefix: str, mode: str
) -> None:
    url = f"s3://{BUCKET}/{prefix}/one.parquet"
    if mode == "overwrite":
        remote.execute(task(TABLE.slice(0, 7), url))
    proxy.fail(Fault("lost", "POST", "?uploadId", 1))
    remote.execute(task(LARGE, {"url": url, "mode": mode}))
    assert numbers(s3, f"{prefix}/one.parquet") == list(range(MANY))


def test_success_with_an_error_inside(remote: RLMClient, proxy: Proxy, s3: Store, prefix: str) -> None:
    proxy.fail(Fault("status", "POST", "?uploadId", 1, status=200, code="InternalError"))
    remote.execute(task(LARGE, f"s3://{BUCKET}/{prefix}/one.parquet"))
    assert proxy.happened() == [1]
    assert numbers(s3, f"{prefix}/one.parquet") == list(range(MANY))


def test_an_upload_that_begins_when_nobody_wants_it_any_more_is_given_up(
    remote: RLMClient, proxy: Proxy, s3: Store, prefix: str
) -> None:
    """The store answers after the run was cancelled."""
    proxy.fail(Fault("held", "POST", "?uploads", 1))
    run = remote.submit(task(LARGE, f"s3://{BUCKET}/{prefix}/one.parquet"))
    assert proxy.hanging.wait(30)
    run.cancel()
    with pytest.raises(TaskCancelledError):
        run.result()
    proxy.released.set()
    until(
        lambda: ("DELETE", "uploadId") in [(method, *named(target)) for method, target in proxy.seen],
        "an abort",
    )
    assert keys(s3, f"{prefix}/") == []


def named(target: str) -> list[str]:
    """The parameters of a request, by name."""
    return [part.partition("=")[0] for part in target.partition("?")[2].split("&")][:1]


def test_a_small_file_is_one_request(remote: RLMClient, proxy: Proxy, s3: Store, prefix: str) -> None:
    proxy.fail()
    remote.execute(task(TABLE, {"url": f"s3://{BUCKET}/{prefix}", **SPLIT}))
    asked = [(method, target.partition("?")[0].rpartition("/")[2]) for method, target in proxy.seen]
    puts = [name for method, name in asked if method == "PUT"]
    assert len(puts) == len(keys(s3, f"{prefix}/"))
    assert puts[-1] == "_SUCCESS"
    assert not [target for method, target in proxy.seen if method == "POST"]
    complete(s3, prefix)


FINAL = {
    "begin": Fault("status", "POST", "?uploads", status=403, code="AccessDenied"),
    "part": Fault("status", "PUT", "partNumber", status=403, code="ExpiredToken", skip=1),
    "complete": Fault("status", "POST", "?uploadId", status=403, code="ExpiredToken", skip=2),
    "put": Fault("status", "PUT", "/part-", status=403, code="ExpiredToken", skip=2),
    "success with an error inside": Fault("status", "POST", "?uploadId", status=200, code="AccessDenied"),
    "look": Fault("status", "GET", "list-type=2", status=403, code="AccessDenied"),
}


@pytest.mark.parametrize("step", FINAL)
@pytest.mark.parametrize("before", ["nothing", "old files"])
def test_what_fails_leaves_what_was_there(
    remote: RLMClient, proxy: Proxy, s3: Store, prefix: str, step: str, before: str
) -> None:
    url = f"s3://{BUCKET}/{prefix}"
    if before != "nothing":
        remote.execute(task(TABLE.slice(0, 9), url))
    there = keys(s3, f"{prefix}/")
    proxy.fail(replace(FINAL[step]))
    table, rows = (TABLE, 5_000) if step in ("put", "look") else (LARGE, MANY // 3)
    with pytest.raises(OutputFailedError, match=f"{BUCKET}/{prefix}") as caught:
        remote.execute(task(table, {"url": url, "mode": "overwrite", "maxRowsPerFile": rows}))
    said = discreet(caught.value)
    assert FINAL[step].code != "ExpiredToken" or "expired" in said
    assert keys(s3, f"{prefix}/") == there


def test_a_store_that_stays_away(remote: RLMClient, proxy: Proxy, s3: Store, prefix: str) -> None:
    for part, table in ("partNumber", LARGE), ("one.parquet", TABLE):
        proxy.fail(Fault("status", "PUT", part))
        with pytest.raises(OutputFailedError, match=rf"{BUCKET}/{prefix}.*503") as caught:
            remote.execute(task(table, f"s3://{BUCKET}/{prefix}/one.parquet"))
        discreet(caught.value)
    assert keys(s3, prefix) == []


@pytest.mark.parametrize("fault", ["hang", "status"])
@pytest.mark.parametrize("stop", ["deadline", "cancel"])
@pytest.mark.parametrize("step", ["begin", "part", "look"])
def test_a_stop_is_a_stop(
    remote: RLMClient, proxy: Proxy, s3: Store, prefix: str, step: str, stop: str, fault: str
) -> None:
    proxy.fail(Fault(fault, *STEPS[step]))  # type: ignore[arg-type]
    more = {"timeoutMs": 400} if stop == "deadline" else {}
    table = LARGE if step in UPLOADING else TABLE
    run = remote.submit(task(table, f"s3://{BUCKET}/{prefix}", **more))
    if stop == "cancel":
        while not proxy.happened()[0] and not run.wait(timeout=0.02):
            pass
        run.cancel()
    assert run.wait(timeout=20)
    assert run.state == ("failed" if stop == "deadline" else "cancelled")
    assert not proxy.released.is_set()
    proxy.fail()
    assert keys(s3, prefix) == []


PROGRAM = """
import json, sys
import pyarrow as pa
from rlm_hypervisor import RLMClient
table = pa.table({"n": pa.array(range(6_000_000), pa.int64())})
with RLMClient(threads=2, storage_options=json.loads(sys.argv[1])) as client:
    client.execute({"type": "parallel", "input": {"source": table, "operation": lambda p: p}, "output": sys.argv[2]})
"""


def test_a_killed_writer_shows_nothing(options: dict[str, str], proxy: Proxy, s3: Store) -> None:
    # The third part of 8 MB never arrives.
    proxy.fail(Fault("hang", "PUT", "partNumber", skip=2))
    place = "killed-writer/out.arrow"
    command = [sys.executable, "-c", PROGRAM, json.dumps(options), f"s3://{BUCKET}/{place}"]
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'python'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    }
    with subprocess.Popen(command, env=environment) as process:
        assert proxy.hanging.wait(60)
        process.send_signal(signal.SIGKILL)
    proxy.fail()
    assert keys(s3, place) == []
    # What it had begun is not visible; the bucket's own rule removes it.
    for begun in s3.boto.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        s3.boto.abort_multipart_upload(Bucket=BUCKET, Key=begun["Key"], UploadId=begun["UploadId"])


def test_a_retried_part_is_there_once(remote: RLMClient, proxy: Proxy, s3: Store, prefix: str) -> None:
    rows = 3_000_000
    big = pa.table({"n": pa.array(range(rows), pa.int64())})
    proxy.fail(
        Fault("lost", "PUT", "partNumber", 1),
        Fault("status", "PUT", "partNumber", 2),
        Fault("refused", "PUT", "partNumber", 1, skip=1),
    )
    url = f"s3://{BUCKET}/{prefix}/out.parquet"
    written = remote.execute(task(big, {"url": url, "compression": "none"}, everything))
    body = s3.boto.get_object(Bucket=BUCKET, Key=f"{prefix}/out.parquet")["Body"].read()
    assert len(body) == written.bytes > 16 << 20
    assert pq.ParquetFile(io.BytesIO(body)).read()["n"].to_pylist() == list(range(rows))
