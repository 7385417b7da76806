"""A store that hangs while files are shown: the run ends by its deadline, and says what is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rlm_hypervisor import RLMClient, TaskTimeoutError

from tests.faults._workers import until
from tests.io._proxy import Fault, Proxy
from tests.io.conftest import BUCKET, Store
from tests.io.test_output import task
from tests.io.test_output_s3 import keys, uploads
from tests.io.test_s3_faults import discreet

TABLE = pa.table({"n": list(range(20_000))})
LARGE = pa.table({"n": np.random.default_rng(1).integers(0, 1 << 62, 640_000)})
"""Four files of it are larger than what is put in one request."""


@pytest.fixture(scope="module")
def proxy(s3: Store) -> Iterator[Proxy]:
    with Proxy(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def remote(s3: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[RLMClient]:
    for name in s3.environment:
        monkeypatch.delenv(name, raising=False)
    proxy.fail()
    options = s3.options | {"aws_endpoint_url": proxy.endpoint}
    with RLMClient(threads=2, storage_options=options) as client:
        yield client


def in_time(remote: RLMClient, table: pa.Table, output: dict[str, Any]) -> int:
    """Milliseconds in which a write surely comes as far as to the request that hangs: several times what all of it takes."""
    begun = time.monotonic()
    remote.execute(task(table, output | {"mode": "overwrite"}))
    return max(6_000, int(4_000 * (time.monotonic() - begun)))


def emptied(s3: Store, prefix: str) -> None:
    """What was written to see how long it takes is gone."""
    for key in keys(s3, prefix):
        s3.boto.delete_object(Bucket=BUCKET, Key=key)


@pytest.mark.parametrize("layout", ["one", "directory", "some of a directory"])
def test_a_commit_that_hangs_ends_by_the_deadline(
    remote: RLMClient, proxy: Proxy, s3: Store, layout: str
) -> None:
    prefix = f"late-{layout.replace(' ', '-')}"
    url = f"s3://{BUCKET}/{prefix}/out.parquet" if layout == "one" else f"s3://{BUCKET}/{prefix}"
    output: dict[str, Any] = {"url": url}
    if layout != "one":
        output |= {"maxRowsPerFile": 160_000, "successMarker": True}
    deadline = in_time(remote, LARGE, output)
    emptied(s3, prefix)
    # The completing of an upload; of some of a directory the first two are answered.
    proxy.fail(Fault("hang", "POST", "uploadId", skip=2 if "some" in layout else 0))
    run = remote.submit(task(LARGE, output, timeoutMs=deadline))
    # The client of the store would try for longer.
    assert run.wait(timeout=deadline / 1000 + 20) and not proxy.released.is_set()
    with pytest.raises(TaskTimeoutError, match=rf"{BUCKET}/{prefix}.*look there") as caught:
        run.result()
    assert ("2 of its 4 files" in str(caught.value)) == ("some" in layout)
    discreet(caught.value)
    proxy.fail()
    assert uploads(s3, prefix) == []
    until(lambda: keys(s3, prefix) == [])


def test_a_small_file_that_hangs_ends_by_the_deadline(remote: RLMClient, proxy: Proxy, s3: Store) -> None:
    output = {"url": f"s3://{BUCKET}/late-small/out.parquet"}
    deadline = in_time(remote, TABLE, output)
    emptied(s3, "late-small")
    proxy.fail(Fault("hang", "PUT", "late-small"))
    run = remote.submit(task(TABLE, output, timeoutMs=deadline))
    assert run.wait(timeout=deadline / 1000 + 20) and not proxy.released.is_set()
    with pytest.raises(TaskTimeoutError, match=rf"{BUCKET}/late-small.*look there"):
        run.result()
    proxy.fail()
    assert uploads(s3, "late-small") == []


def test_what_is_left_when_all_files_are_there_is_said(remote: RLMClient, proxy: Proxy, s3: Store) -> None:
    output = {"url": f"s3://{BUCKET}/late-marker", "successMarker": True}
    deadline = in_time(remote, TABLE, output)
    emptied(s3, "late-marker")
    proxy.fail(Fault("hang", "PUT", "_SUCCESS"))
    run = remote.submit(task(TABLE, output, timeoutMs=deadline))
    assert run.wait(timeout=deadline / 1000 + 20) and not proxy.released.is_set()
    with pytest.raises(TaskTimeoutError, match="new files are all there"):
        run.result()
    proxy.fail()
    assert len(keys(s3, "late-marker")) == 1 and uploads(s3, "late-marker") == []
