"""What holds of every store alike: names, prefixes, globs, directories by value, modes of writing, stops."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import InvalidTaskError, OutputFailedError, RLMClient, RLMError, SourceNotFoundError

from tests.conftest import make_task
from tests.io._proxy import Proxy
from tests.io._stores import InMemory, Kept, Local, Moto, Web, azurite, azurite_program
from tests.io.conftest import BUCKET, KEY, Store
from tests.io.test_local import numbers
from tests.io.test_output import everything, task


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    program = azurite_program()
    if program is None:
        pytest.skip("the emulator of Azure is not installed: scripts/emulators.sh does it, with npm")
    with azurite(program, tmp_path_factory.mktemp("azurite")) as store:
        yield store


@pytest.fixture(scope="module")
def google(s3: Store) -> Iterator[Proxy]:
    """The S3 server for Google's client: who asks is said in the words of S3."""
    with Proxy(s3.endpoint) as proxy:
        scope = f"{KEY}/20260101/us-east-1/s3/aws4_request"
        proxy.authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        yield proxy


@pytest.fixture(params=["local", "memory", "s3", "gs", "az", "abfss"])
def kept(request: pytest.FixtureRequest, tmp_path: Any) -> Kept:
    """Each store that is read and written."""
    match request.param:
        case "local":
            return Local(tmp_path)
        case "memory":
            return InMemory()
        case "az":
            store: Kept = request.getfixturevalue("emulator")
            return store
        case "abfss":
            hadoops: Kept = request.getfixturevalue("emulator").called_as_by_hadoop()
            return hadoops
        case "gs":
            return Moto(request.getfixturevalue("s3"), "gs", request.getfixturevalue("google").endpoint)
        case _:
            return Moto(request.getfixturevalue("s3"), "s3")


@pytest.fixture
def client(kept: Kept, s3: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[RLMClient]:
    for name in s3.environment:
        monkeypatch.delenv(name, raising=False)
    with RLMClient(threads=2, storage_options=kept.options) as client:
        if isinstance(kept, InMemory):
            kept.objects = client.memory
        yield client


@pytest.fixture
def place(request: pytest.FixtureRequest, kept: Kept) -> Iterator[str]:
    """A prefix of the test's own."""
    yield f"stores-{abs(hash(request.node.nodeid))}"
    end = time.monotonic() + 30
    while kept.unfinished() and time.monotonic() < end:
        time.sleep(0.05)
    assert kept.unfinished() == []


def parquet(*values: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"n": pa.array(values, pa.int64())}), file)
    return file.getvalue()


def written(kept: Kept, prefix: str) -> list[int]:
    """The column `n` of the files that another library finds."""
    found = [key for key in kept.keys(prefix) if key.endswith(".parquet")]
    return [n for key in found for n in pq.ParquetFile(io.BytesIO(kept.get(key))).read()["n"].to_pylist()]


ODD = [
    "plain",
    "a b",
    "100%",
    "a%20b",
    "a+b=c",
    "a&b;c,d",
    "Zürich 東京",
    "a#b",
    "a?b",
    "a[1]",
    "a{1,2}",
    "it's (one)!",
    "$x@y~z",
]


@pytest.mark.parametrize("name", ODD)
def test_names(kept: Kept, client: RLMClient, place: str, name: str) -> None:
    kept.put(f"{place}/{name}.parquet", parquet(1, 2))
    kept.put(f"{place}/{name}/x.parquet", parquet(3))
    assert numbers(client, kept.url(f"{place}/{name}.parquet")) == [1, 2]
    assert numbers(client, kept.url(f"{place}/{name}/")) == [3]
    if "=" not in name:  # that is a directory by value, which not all of them have
        assert sorted(numbers(client, kept.url(place))) == [1, 2, 3]


@pytest.mark.parametrize("name", ODD)
def test_names_that_are_written(kept: Kept, client: RLMClient, place: str, name: str) -> None:
    table = pa.table({"n": [1, 2], "k": [name, name]})
    kept.prepare(f"{place}/{name}")
    client.execute(task(table, kept.url(f"{place}/{name}/one.parquet")))
    assert kept.keys(place) == [f"{place}/{name}/one.parquet"]
    client.execute(task(table, {"url": kept.url(f"{place}/by"), "partitionBy": "k"}))
    assert written(kept, f"{place}/by") == [1, 2]
    back = client.execute(make_task(kept.url(f"{place}/by"), lambda p: p["k"])).to_arrow()
    assert back["k"].to_pylist() == [name, name]
    assert numbers(client, kept.url(f"{place}/{name}/one.parquet")) == [1, 2]


def test_prefixes_and_globs(kept: Kept, client: RLMClient, place: str) -> None:
    for n, name in enumerate(["a-1", "a-2", "a-10", "b/a-3", "b/c/a-4", "_hidden", ".x", "b/_tmp/a-9"]):
        kept.put(f"{place}/{name}.parquet", parquet(n))
    kept.put(f"{place}-other/a-1.parquet", parquet(99))
    expected = {
        "": [0, 2, 1, 3, 4],
        "/": [0, 2, 1, 3, 4],
        "/b": [3, 4],
        "/a-?.parquet": [0, 1],
        "/a-[12].parquet": [0, 1],
        "/a-*": [0, 2, 1],
        "/*/a-*.parquet": [3],
        "/*/*/a-4.parquet": [4],
        "*/a-1.parquet": [99, 0],
        "/{a-2,a-1,none}.parquet": [0, 1],
        "{,-other}/a-1.parquet": [99, 0],
        "/{b/a-*,a-{2,10}}.parquet": [2, 1, 3],
    }
    for pattern, values in expected.items():
        url = kept.url(place) + pattern
        assert numbers(client, url) == values, pattern
    for missing in ("/nothing", "/a-3.parquet", "/z*", "/a-", "/{x,y}.parquet"):
        with pytest.raises(SourceNotFoundError, match=place):
            numbers(client, kept.url(place) + missing)


def test_empty_objects(kept: Kept, client: RLMClient, place: str) -> None:
    for ending in ("parquet", "arrow", "avro", "csv", "jsonl"):
        kept.put(f"{place}/empty.{ending}", b"")
        with pytest.raises(RLMError) as caught:
            numbers(client, kept.url(f"{place}/empty.{ending}"))
        # Empty text is a file without columns.
        assert caught.value.code in ("SOURCE_UNREADABLE", "SCHEMA_MISMATCH"), caught.value
    kept.put(f"{place}/rows/part-0.parquet", parquet())
    kept.put(f"{place}/rows/part-1.parquet", parquet(5))
    kept.put(f"{place}/rows/_SUCCESS", b"")
    assert numbers(client, kept.url(f"{place}/rows")) == [5]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "arrow", "avro", "parquet"])
def test_formats(kept: Kept, client: RLMClient, place: str, ending: str) -> None:
    rows = 20_000
    table = pa.table({"n": list(range(rows)), "s": [f"v{n % 17}" for n in range(rows)]})
    url = kept.url(f"{place}/rows.{ending}")
    kept.prepare(place)
    client.execute(task(table, url))
    assert kept.keys(place) == [f"{place}/rows.{ending}"]
    assert numbers(client, url, 1000) == list(range(rows))


def test_modes(kept: Kept, client: RLMClient, place: str) -> None:
    url = kept.url(f"{place}/out")

    def write(mode: str, *values: int) -> Any:
        table = pa.table({"n": pa.array(values, pa.int64())})
        return client.execute(task(table, {"url": url, "mode": mode, "successMarker": True}))

    write("error", 1, 2)
    assert f"{place}/out/_SUCCESS" in kept.keys(place)
    with pytest.raises(OutputFailedError, match="exists already"):
        write("error", 3)
    assert write("ignore", 3).skipped
    assert written(kept, place) == [1, 2]
    write("append", 3)
    assert written(kept, place) == [1, 2, 3]
    write("overwrite", 4)
    assert written(kept, place) == [4] == numbers(client, url)
    client.execute(
        task(url, {"url": url, "mode": "overwrite"}, lambda p: p.assign(n=p["n"] + 1))  # its own source
    )
    assert written(kept, place) == [5]


def test_directories_by_value(kept: Kept, client: RLMClient, place: str) -> None:
    table = pa.table(
        {"n": list(range(100)), "y": [2020 + n % 4 for n in range(100)], "k": ["a/b", None] * 50}
    )
    url = kept.url(f"{place}/out")
    client.execute(task(table, {"url": url, "partitionBy": ["y", "k"]}))
    assert len(kept.keys(place)) == 4
    assert sorted(numbers(client, url)) == list(range(100))
    run = client.submit(make_task(url, lambda p: p[p["y"] == 2022]["n"].sum()))
    assert run.result(timeout=60) == sum(range(2, 100, 4))


@pytest.mark.parametrize("stop", ["cancel", "failure", "deadline"])
def test_what_was_stopped_leaves_nothing(kept: Kept, client: RLMClient, place: str, stop: str) -> None:
    rows = 1_500_000
    table = pa.table({"n": pa.array(range(rows), pa.int64())})
    kept.prepare(place)
    values = pa.array([0.5] * (rows - 1) + [float("inf")])
    if stop == "failure":
        with pytest.raises(OutputFailedError, match="infinite"):
            client.execute(task(table.append_column("x", values), kept.url(f"{place}/out.jsonl")))
        assert kept.keys(place) == []
        return
    more = {"timeoutMs": 100} if stop == "deadline" else {}
    run = client.submit(task(table, {"url": kept.url(f"{place}/out"), "format": "csv"}, everything, **more))
    if stop == "cancel":
        run.cancel()
    run.wait(timeout=60)
    found = kept.keys(place)
    assert bool(found) == (run.state == "succeeded"), found


def test_a_web_server_is_read_alone(s3: Store) -> None:
    web = Web(s3)
    with RLMClient(threads=2) as client:
        for name in ODD:
            web.put(f"web/{name}.parquet", parquet(7, 8))
            assert numbers(client, web.url(f"web/{name}.parquet")) == [7, 8]
        web.put("web/rows.csv", b"n\n1\n2\n")
        assert numbers(client, [web.url("web/rows.csv")]) == [1, 2]
        with pytest.raises(SourceNotFoundError, match="nothing"):
            numbers(client, web.url("web/nothing.parquet"))
        with pytest.raises(InvalidTaskError, match="web servers"):
            client.execute(task(pa.table({"n": [1]}), web.url("web/out.parquet")))


def test_schemes_that_are_not_known() -> None:
    with RLMClient(threads=1) as client:
        for scheme in ("ftp", "hdfs"):
            with pytest.raises(InvalidTaskError, match=rf"{scheme}.*not known"):
                numbers(client, f"{scheme}://{BUCKET}/x.parquet")


def test_a_query_is_no_part_of_a_key(s3: Store) -> None:
    with RLMClient(threads=1, storage_options=s3.options) as client:
        with pytest.raises(InvalidTaskError, match="query") as caught:
            numbers(client, f"s3://{BUCKET}/x.parquet?secret=hush-hush")
        assert "hush-hush" not in str(caught.value)
        with pytest.raises(InvalidTaskError, match="query"):
            client.execute(task(pa.table({"n": [1]}), f"s3://{BUCKET}/x.parquet?token=hush-hush"))
