"""A store that hangs while files are shown: the run ends by its deadline, and says what is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rlm_hypervisor import RLMClient, TaskTimeoutError

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


@pytest.mark.parametrize("layout", ["one", "directory", "some of a directory"])
def test_a_commit_that_hangs_ends_by_the_deadline(
    remote: RLMClient, proxy: Proxy, s3: Store, layout: str
) -> None:
    prefix = f"late-{layout.replace(' ', '-')}"
    # The completing of an upload; of some of a directory the first two are answered.
    proxy.fail(Fault("hang", "POST", "uploadId", skip=2 if "some" in layout else 0))
    url = f"s3://{BUCKET}/{prefix}/out.parquet" if layout == "one" else f"s3://{BUCKET}/{prefix}"
    output: dict[str, Any] = {"url": url}
    if layout != "one":
        output |= {"maxRowsPerFile": 160_000, "successMarker": True}
    run = remote.submit(task(LARGE, output, timeoutMs=6_000))
    # The client of the store would try for longer.
    assert run.wait(timeout=25) and not proxy.released.is_set()
    with pytest.raises(TaskTimeoutError, match=rf"{BUCKET}/{prefix}.*look there") as caught:
        run.result()
    assert ("2 of its 4 files" in str(caught.value)) == ("some" in layout)
    discreet(caught.value)
    proxy.fail()
    end = time.monotonic() + 20
    while (keys(s3, prefix) or uploads(s3)) and time.monotonic() < end:
        time.sleep(0.05)
    assert keys(s3, prefix) == [] and uploads(s3) == []


def test_a_small_file_that_hangs_ends_by_the_deadline(remote: RLMClient, proxy: Proxy, s3: Store) -> None:
    proxy.fail(Fault("hang", "PUT", "late-small"))
    run = remote.submit(task(TABLE, {"url": f"s3://{BUCKET}/late-small/out.parquet"}, timeoutMs=6_000))
    assert run.wait(timeout=25) and not proxy.released.is_set()
    with pytest.raises(TaskTimeoutError, match=rf"{BUCKET}/late-small.*look there"):
        run.result()
    proxy.fail()
    assert uploads(s3) == []


def test_what_is_left_when_all_files_are_there_is_said(remote: RLMClient, proxy: Proxy, s3: Store) -> None:
    url = f"s3://{BUCKET}/late-marker"
    proxy.fail(Fault("hang", "PUT", "_SUCCESS"))
    run = remote.submit(task(TABLE, {"url": url, "successMarker": True}, timeoutMs=6_000))
    assert run.wait(timeout=25) and not proxy.released.is_set()
    with pytest.raises(TaskTimeoutError, match="new files are all there"):
        run.result()
    proxy.fail()
    assert len(keys(s3, "late-marker")) == 1 and uploads(s3) == []
