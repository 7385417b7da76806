"""Reading from an S3 server that fails: what passes is retried, what stays is said, and a stop is a stop."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient, RLMError, SourceUnreadableError, TaskTimeoutError, secret

from tests.conftest import ROOT, make_task
from tests.io._proxy import Fault, Proxy
from tests.io.conftest import BUCKET, KEY, SECRET, Store
from tests.io.test_local import numbers

ROWS = 40_000
FORMATS = {"parquet": "faults/rows.parquet", "csv": "faults/rows.csv", "arrow": "faults/rows.arrow"}
TOKEN = "session/token+of=the&run"


@pytest.fixture(scope="module")
def proxy(s3: Store) -> Iterator[Proxy]:
    data = pa.table({"n": list(range(ROWS)), "s": [f"text {n * 7919 % 10_007}" for n in range(ROWS)]})
    pages = io.BytesIO()
    pq.write_table(data, pages, row_group_size=ROWS // 4, compression="none")
    text = data.to_pandas().to_csv(index=False).encode()
    batches = io.BytesIO()
    with pa.ipc.new_file(batches, data.schema) as writer:
        writer.write_table(data, max_chunksize=ROWS // 4)
    for key, body in zip(FORMATS.values(), [pages.getvalue(), text, batches.getvalue()], strict=True):
        s3.boto.put_object(Bucket=BUCKET, Key=key, Body=body)
    with Proxy(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture
def options(options: dict[str, str], proxy: Proxy) -> dict[str, str]:
    proxy.page = None
    return options | {"aws_session_token": TOKEN}


def url(key: str) -> str:
    return f"s3://{BUCKET}/{key}"


def discreet(error: BaseException) -> str:
    """Everything an error says, which is nothing of the credentials."""
    text = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)
    for hidden in (SECRET, KEY, TOKEN, "session%2Ftoken", "X-Amz-Signature"):
        assert hidden not in text
    return str(error)


HEAD = "503 of the head"
PASSING: dict[str, Callable[[], Fault]] = {
    "429": lambda: Fault("status", "GET", "rows.", 2, status=429),
    "500": lambda: Fault("status", "GET", "rows.", 2, status=500, code="InternalError"),
    "503": lambda: Fault("status", "GET", "rows.", 2),
    HEAD: lambda: Fault("status", "HEAD", "rows.", 2),
    "a slow first byte": lambda: Fault("slow", "GET", "rows.", 1),
    "closed unread": lambda: Fault("refused", "GET", "rows.", 2),
    "reset within the body": lambda: Fault("reset", "GET", "rows.", 3),
    "the body is cut": lambda: Fault("cut", "GET", "rows.", 3),
}


# The end of a Parquet file says what its head would.
RETRIED = [(fault, kind) for fault in PASSING for kind in FORMATS if (fault, kind) != (HEAD, "parquet")]


@pytest.mark.parametrize(("fault", "kind"), RETRIED)
def test_what_passes_is_retried(remote: RLMClient, proxy: Proxy, fault: str, kind: str) -> None:
    proxy.fail(PASSING[fault]())
    assert numbers(remote, url(FORMATS[kind])) == list(range(ROWS))
    assert proxy.happened() == [proxy.faults[0].times]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_short_answer_is_no_short_file(remote: RLMClient, proxy: Proxy, kind: str) -> None:
    key = FORMATS[kind]
    proxy.fail(Fault("short", "GET", "rows."))
    with pytest.raises(SourceUnreadableError, match=rf"{BUCKET}/{key}.*(bytes of|written anew)") as caught:
        numbers(remote, url(key))
    discreet(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_object_written_anew_is_not_mixed(remote: RLMClient, proxy: Proxy, s3: Store, kind: str) -> None:
    body = s3.boto.get_object(Bucket=BUCKET, Key=FORMATS[kind])["Body"].read()
    key = f"anew/{Path(FORMATS[kind]).name}"
    s3.boto.put_object(Bucket=BUCKET, Key=key, Body=body)
    # What says its size and its tag is from before, those to the reads from after.
    proxy.fail(Fault("held", "GET", "anew/rows.", times=1, skip=int(kind == "parquet")))

    def replace() -> None:
        proxy.hanging.wait(30)
        s3.boto.put_object(Bucket=BUCKET, Key=key, Body=body[:-1] + bytes([body[-1] ^ 1]))
        proxy.released.set()

    threading.Thread(target=replace).start()
    with pytest.raises(SourceUnreadableError, match=r"anew/rows.*written anew"):
        numbers(remote, url(key))


@pytest.mark.parametrize("status", [403, 400])
def test_credentials_that_expire_are_said(remote: RLMClient, proxy: Proxy, status: int) -> None:
    key = FORMATS["parquet"]
    proxy.fail(Fault("status", "GET", "rows.parquet", skip=2, status=status, code="ExpiredToken"))
    with pytest.raises(SourceUnreadableError, match=rf"{BUCKET}/{key}.*ExpiredToken") as caught:
        numbers(remote, url(key))
    assert "expired" in discreet(caught.value)
    assert proxy.happened()[0] >= 1


def test_credentials_that_expire_are_renewed(options: dict[str, str], proxy: Proxy) -> None:
    values = {"token": "the old token"}
    options |= {"aws_session_token": secret("token")}  # type: ignore[dict-item]
    proxy.fail(
        Fault("held", "GET", "rows.parquet", times=1),
        Fault("status", "GET", "rows.parquet", times=1, status=403, code="ExpiredToken"),
    )

    def renew() -> None:
        proxy.hanging.wait(30)
        values["token"] = "the new token"
        proxy.released.set()

    with RLMClient(threads=1, storage_options=options, secrets=[values]) as client:
        threading.Thread(target=renew).start()
        assert client.execute(make_task(url(FORMATS["parquet"]), lambda p: p["n"].sum())) == sum(range(ROWS))
    assert proxy.happened() == [1, 1]


@pytest.mark.parametrize("fault", ["status", "reset", "cut", "slow", "refused"])
def test_pages_of_a_listing(remote: RLMClient, proxy: Proxy, fault: str) -> None:
    proxy.page = 2
    proxy.fail(Fault(fault, "GET", "list-type=2", 2, skip=1))  # type: ignore[arg-type]
    assert numbers(remote, url("data/")) == list(range(40))
    assert len([target for _, target in proxy.seen if "list-type=2" in target]) >= 4


def test_a_page_that_is_refused(remote: RLMClient, proxy: Proxy) -> None:
    proxy.page = 2
    proxy.fail(Fault("status", "GET", "list-type=2", skip=1, status=403, code="AccessDenied"))
    with pytest.raises(SourceUnreadableError, match=rf"{BUCKET}/data/.*refuses access") as caught:
        numbers(remote, url("data/"))
    discreet(caught.value)


def test_what_stays_is_said(remote: RLMClient, proxy: Proxy) -> None:
    key = FORMATS["csv"]
    proxy.fail(Fault("status", "GET", "rows.csv"))
    with pytest.raises(SourceUnreadableError, match=rf"{BUCKET}/{key}.*503") as caught:
        numbers(remote, url(key))
    discreet(caught.value)
    assert 3 <= proxy.happened()[0] <= 10


@pytest.mark.parametrize("fault", ["hang", "status"])
@pytest.mark.parametrize("what", ["HEAD", "GET", "listing"])
def test_the_deadline_holds(remote: RLMClient, proxy: Proxy, fault: str, what: str) -> None:
    method, part = ("GET", "list-type=2") if what == "listing" else (what, "rows.")
    source = url("data/") if what == "listing" else url(FORMATS["csv" if what == "HEAD" else "parquet"])
    # What is made with the first request is there already.
    assert numbers(remote, source)
    for deadline in (300, 600, 1200, 2400, 4800):
        proxy.fail(Fault(fault, method, part))  # type: ignore[arg-type]
        with pytest.raises(TaskTimeoutError):
            remote.execute(make_task(source, lambda p: p["n"].sum(), options={"timeoutMs": deadline}))
        # The proxy has let nothing go: it was the deadline that ended the run.
        assert not proxy.released.is_set()
        # A busy machine may not come to the request in so short a time.
        if proxy.happened()[0] >= 1:
            return
    pytest.fail("no run came as far as to the request that fails")


def test_cancelling_a_read_that_hangs(remote: RLMClient, proxy: Proxy) -> None:
    proxy.fail(Fault("hang", "GET", "rows.", skip=1))
    run = remote.submit(make_task(url(FORMATS["parquet"]), lambda p: p["n"].sum()))
    assert proxy.hanging.wait(30)
    run.cancel()
    run.wait(timeout=30)
    assert run.state == "cancelled"
    proxy.fail()
    assert numbers(remote, url(FORMATS["parquet"])) == list(range(ROWS))


PROGRAM = """
import json, sys
from rlm_hypervisor import RLMClient
with RLMClient(threads=2, storage_options=json.loads(sys.argv[1])) as client:
    try:
        client.execute({"type": "parallel", "input": {"source": sys.argv[2], "operation": lambda p: p["n"].sum()}})
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_ctrl_c(options: dict[str, str], proxy: Proxy) -> None:
    proxy.fail(Fault("hang", "GET", "rows.", skip=1))
    command = [sys.executable, "-c", PROGRAM, json.dumps(options), url(FORMATS["parquet"])]
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT / 'python'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert proxy.hanging.wait(60)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert said == b"interrupted\n"
    assert not proxy.released.is_set()


def test_a_failing_store_takes_no_memory(options: dict[str, str], proxy: Proxy) -> None:
    """Answers that break off again and again are not kept twice."""
    proxy.fail(Fault("reset", "GET", "rows.", times=4))
    with RLMClient(threads=2, memory_limit="100MB", storage_options=options) as client:
        run = client.submit(make_task(url(FORMATS["parquet"]), lambda p: p.groupby("s")["n"].sum()))
        answer = run.result(timeout=60).to_pandas()
    expected = pd.Series(range(ROWS)).groupby([f"text {n * 7919 % 10_007}" for n in range(ROWS)]).sum()
    assert answer.tolist() == expected.tolist()
    assert 0 < run.metrics()["memory_peak_bytes"] <= 100_000_000


def test_errors_are_ours(remote: RLMClient, proxy: Proxy) -> None:
    for fault in (
        Fault("status", "HEAD", status=400, code="BadRequest"),
        Fault("status", "GET", status=404, code="NoSuchKey"),
        Fault("status", "GET", status=409, code="Conflict"),
        Fault("status", "GET", status=304, code="NotModified"),
        Fault("status", "GET", status=302, code="Moved"),
    ):
        proxy.fail(fault)
        with pytest.raises(RLMError, match=BUCKET) as caught:
            numbers(remote, url(FORMATS["csv" if fault.method == "HEAD" else "parquet"]))
        assert caught.value.code in ("SOURCE_UNREADABLE", "SOURCE_NOT_FOUND"), caught.value
        discreet(caught.value)
