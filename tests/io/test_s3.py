"""S3 over real HTTP: prefixes, globs, credentials from the environment or the client, and discreet errors."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    RLMClient,
    RLMError,
    SourceNotFoundError,
    SourceUnreadableError,
    secret,
)

from tests.conftest import make_task
from tests.io.conftest import KEY, SECRET, Store
from tests.io.test_local import numbers


@pytest.fixture
def remote(s3: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[RLMClient]:
    """A client that was told where the store is."""
    for name in s3.environment:
        monkeypatch.delenv(name, raising=False)
    with RLMClient(threads=2, storage_options=s3.options) as client:
        yield client


SOURCES: dict[str, tuple[Any, list[int]]] = {
    "object": ("s3://bucket/data/part-2.parquet", list(range(20, 30))),
    "prefix": ("s3://bucket/data", list(range(40))),
    "prefix with slash": ("s3://bucket/data/", list(range(40))),
    "glob": ("s3://bucket/data/part-*.parquet", list(range(40))),
    "glob of some": ("s3://bucket/data/part-[13].parquet", [*range(10, 20), *range(30, 40)]),
    "list": (
        ["s3://bucket/data/part-3.parquet", "s3://bucket/data/part-0.parquet"],
        [*range(30, 40), *range(10)],
    ),
    "odd names": ("s3://bucket/odd names/a b+c=ü.parquet", list(range(10, 20))),
    "glob over prefixes": ("s3://bucket/data*/part-[09].parquet", [*range(10), *range(10)]),
}


@pytest.mark.parametrize("form", SOURCES)
@pytest.mark.parametrize("chunk", [7, "auto"])
def test_sources(remote: RLMClient, form: str, chunk: int | str) -> None:
    source, expected = SOURCES[form]
    assert numbers(remote, source, chunk) == expected


def test_an_object_that_is_replaced_is_read_again(s3: Store, remote: RLMClient) -> None:
    def put(first: int) -> int:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"n": list(range(first, first + 10))}), sink, compression="none")
        body = sink.getvalue().to_pybytes()
        s3.boto.put_object(Bucket="bucket", Key="replaced/a.parquet", Body=body)
        return len(body)

    sizes = set()
    for first in (100, 100, 200, 300):
        sizes.add(put(first))
        for _ in range(2):
            expected = list(range(first, first + 10))
            assert numbers(remote, "s3://bucket/replaced") == expected
            # What statistics rule out is known from the footer.
            task = make_task("s3://bucket/replaced", lambda p, first=first: p[p["n"] >= first]["n"].count())
            assert remote.execute(task) == 10
    assert len(sizes) == 1


def test_the_seed_job(remote: RLMClient) -> None:
    def process_partition(partition: Any) -> Any:
        return partition.groupby("k")["n"].sum()

    task = make_task("s3://bucket/data", process_partition, chunkSize=10_000)
    assert remote.execute(task).to_pandas().to_dict() == {f"k{r}": sum(range(r, 40, 3)) for r in range(3)}


def test_credentials_from_the_environment(s3: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    with RLMClient(threads=2) as client:
        assert numbers(client, "s3://bucket/data") == list(range(40))


def test_the_client_goes_before_the_environment(s3: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with RLMClient(threads=2, storage_options=s3.options) as client:
        assert numbers(client, "s3://bucket/data/part-1.parquet") == list(range(10, 20))


@pytest.mark.parametrize("name", ["aws_endpoint", "endpoint", "endpoint_url", "AWS_ENDPOINT_URL"])
def test_the_usual_names_of_options(s3: Store, name: str) -> None:
    options = {name if key == "aws_endpoint_url" else key: value for key, value in s3.options.items()}
    with RLMClient(threads=2, storage_options=options) as client:
        assert numbers(client, "s3://bucket/data/part-1.parquet") == list(range(10, 20))


def test_local_and_remote_together(remote: RLMClient, files: Any) -> None:
    source = [str(files / "part-0.parquet"), "s3://bucket/data/part-1.parquet"]
    assert numbers(remote, source) == list(range(20))


MISSING = {
    "key": ("s3://bucket/data/part-77.parquet", "part-77.parquet"),
    "prefix": ("s3://bucket/nowhere/", "nowhere"),
    "glob": ("s3://bucket/data/none-*.parquet", "none-*.parquet"),
    "bucket": ("s3://no-such-bucket/data", "no-such-bucket"),
    "one of a list": (["s3://bucket/data/part-0.parquet", "s3://bucket/gone.parquet"], "gone.parquet"),
}


def _everything_said(error: BaseException) -> str:
    details = getattr(error, "details", {})
    return "".join(traceback.format_exception(error)) + repr(error) + repr(details) + repr(error.__dict__)


@pytest.mark.parametrize("kind", MISSING)
def test_what_is_missing_is_named_and_secrets_are_not(remote: RLMClient, kind: str) -> None:
    source, word = MISSING[kind]
    with pytest.raises(SourceNotFoundError) as caught:
        numbers(remote, source)
    assert word in str(caught.value)
    said = _everything_said(caught.value)
    assert SECRET not in said
    assert SECRET.replace("/", "%2F").replace("+", "%2B") not in said


def test_a_broken_object_is_named(remote: RLMClient) -> None:
    with pytest.raises(SourceUnreadableError, match=r"part-0\.parquet") as caught:
        numbers(remote, "s3://bucket/broken/part-0.parquet")
    assert SECRET not in _everything_said(caught.value)


def test_credentials_as_secrets_read_and_write(s3: Store) -> None:
    options = s3.options | {
        "aws_secret_access_key": secret("s3-secret"),
        "aws_access_key_id": secret("s3-id"),
    }
    values = {"s3-secret": SECRET, "s3-id": KEY}
    with RLMClient(threads=2, storage_options=options, secrets=[values]) as client:
        for source in ("s3://bucket/data", "s3://bucket/data/part-*.parquet"):
            assert numbers(client, source) == list(range(40))
        task = make_task("s3://bucket/data", lambda p: p[p["n"] > 35].reset_index(drop=True))
        for place in ("s3://bucket/written-with-secrets/", "s3://bucket/written-with-secrets.parquet"):
            client.execute({**task, "output": place})
            assert numbers(client, place) == [36, 37, 38, 39]
        client.execute({**task, "output": {"url": "s3://bucket/written-with-secrets/", "mode": "overwrite"}})
        assert numbers(client, "s3://bucket/written-with-secrets/") == [36, 37, 38, 39]
        values.clear()
        client.secrets.refresh()
        with pytest.raises(InvalidTaskError, match="no secret `s3-"):
            client.execute({**task, "output": "s3://bucket/never/"})


def test_secrets_are_in_no_repr(remote: RLMClient) -> None:
    run = remote.submit(make_task("s3://bucket/data", lambda p: p["n"].sum()))
    assert run.result(timeout=60) == sum(range(40))
    said = f"{remote!r} {remote} {run!r} {run} {run.explain()}"
    assert SECRET not in said


def test_an_unknown_storage_option_is_refused_without_its_value(s3: Store) -> None:
    with pytest.raises(RLMError, match="aws_secret_acess_key") as caught:
        with RLMClient(
            threads=1, storage_options=s3.options | {"aws_secret_acess_key": "hush-hush"}
        ) as client:
            numbers(client, "s3://bucket/data")
    assert "hush-hush" not in _everything_said(caught.value)


def test_an_object_that_vanishes_is_named(remote: RLMClient, s3: Store, files: Any) -> None:
    key = "passing/part-0.parquet"
    s3.boto.put_object(Bucket="bucket", Key=key, Body=(files / "part-0.parquet").read_bytes())
    task = make_task(f"s3://bucket/{key}", lambda p: p["n"].sum())
    assert remote.execute(task) == 45
    s3.boto.delete_object(Bucket="bucket", Key=key)
    with pytest.raises(SourceNotFoundError, match="passing"):
        remote.execute(task)


def test_thousands_of_keys_are_listed_over_pages(remote: RLMClient, s3: Store, tmp_path: Any) -> None:
    pq.write_table(pa.table({"n": [1]}), tmp_path / "one.parquet")
    content = (tmp_path / "one.parquet").read_bytes()
    for n in range(1005):
        s3.boto.put_object(Bucket="bucket", Key=f"many/_skip-{n}", Body=b"")
    s3.boto.put_object(Bucket="bucket", Key="many/zlast.parquet", Body=content)
    assert numbers(remote, "s3://bucket/many") == [1]


def test_the_key_id_is_no_secret_but_is_not_printed_either(remote: RLMClient) -> None:
    with pytest.raises(SourceNotFoundError) as caught:
        numbers(remote, "s3://no-such-bucket/data")
    assert KEY not in str(caught.value)


def test_a_store_that_is_not_there_is_named_in_seconds(s3: Store) -> None:
    options = s3.options | {"aws_endpoint_url": "http://127.0.0.1:1"}
    task = make_task("s3://bucket/data", lambda p: p["n"].sum(), options={"timeoutMs": 30_000})
    with RLMClient(threads=1, storage_options=options) as client:
        with pytest.raises(SourceUnreadableError, match="s3://bucket/data") as caught:
            client.execute(task)
    assert SECRET not in _everything_said(caught.value)
