"""Rotation: a store whose credentials change while a client, a source and a run use it; and operations that read them."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    RLMClient,
    RLMError,
    Secret,
    SourceUnreadableError,
    current_task,
    secret,
)
from rlm_hypervisor.secrets import Vault

from tests.secrets._planted import said
from tests.secrets.conftest import ROOT_TOKEN, Bao


class Guarded:
    """A store of one object that answers only requests signed with the key it knows now."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        self.key = "FIRST-KEY-ID"
        self.keys: list[str] = []
        store = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self) -> None:
                signed = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization") or "")
                key = signed[1] if signed else ""
                store.keys.append(key)
                if key != store.key:
                    text = b"<Error><Code>InvalidAccessKeyId</Code></Error>"
                    self.answer(403, text, {})
                elif "list-type=2" in self.path:
                    entry = "<Contents><Key>data/part.parquet</Key><Size>%d</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
                    text = f"<ListBucketResult>{entry % len(store.data)}</ListBucketResult>".encode()
                    self.answer(200, text, {})
                elif not self.path.startswith("/bucket/data/part.parquet"):
                    self.answer(404, b"", {})
                else:
                    span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
                    start, stop = (int(span[1]), int(span[2]) + 1) if span else (0, len(store.data))
                    content = f"bytes {start}-{stop - 1}/{len(store.data)}"
                    headers = {"Content-Range": content, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
                    self.answer(206 if span else 200, store.data[start:stop], headers)

            def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "ETag": '"one"', "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = respond

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.options = {
            "aws_endpoint_url": f"http://127.0.0.1:{self.server.server_port}",
            "aws_region": "us-east-1",
            "aws_access_key_id": secret("key-id"),
            "aws_secret_access_key": {"secret": "key"},
        }


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    """The store, while a test runs."""
    pq.write_table(pa.table({"n": list(range(1_000))}), tmp_path / "part.parquet", row_group_size=100)
    store = Guarded(tmp_path / "part.parquet")
    thread = threading.Thread(target=store.server.serve_forever, args=(0.01,))
    thread.start()
    yield store
    store.server.shutdown()
    thread.join()
    store.server.server_close()


TASK: dict[str, Any] = {
    "type": "parallel",
    "input": {"source": "s3://bucket/data", "operation": lambda p: p["n"].sum()},
}
TOTAL = sum(range(1_000))


@pytest.mark.parametrize("ttl", [0, 3_600])
def test_a_rotated_key_is_used_by_the_next_request(guarded: Guarded, ttl: int) -> None:
    values = {"key-id": "FIRST-KEY-ID", "key": "the first of the keys"}
    with RLMClient(threads=1, secrets=[values], storage_options=guarded.options, secrets_ttl=ttl) as client:
        assert client.execute(TASK) == TOTAL
        values |= {"key-id": "SECOND-KEY-ID", "key": "the second of the keys"}
        guarded.key = "SECOND-KEY-ID"
        guarded.keys.clear()
        assert client.execute(TASK) == TOTAL
        # With kept values it took the store's refusal to ask again, once.
        assert guarded.keys.count("FIRST-KEY-ID") == (0 if ttl == 0 else 1)
        # Within a source that is open.
        table = client.table("s3://bucket/data/part.parquet")
        values |= {"key-id": "THIRD-KEY-ID", "key": "the third of the keys"}
        guarded.key = "THIRD-KEY-ID"
        query = {
            "type": "parallel",
            "input": {
                "source": pd.DataFrame({"n": [1]}),
                "operation": lambda p: p.merge(table, on="n")["n"].sum(),
            },
        }
        assert client.execute(query) == 1
        # A key that is really wrong is an error, which does not tell it.
        guarded.key = "FOURTH-KEY-ID"
        with pytest.raises(SourceUnreadableError, match="refuses access") as caught:
            client.execute(TASK)
        assert "keys" not in "".join(map(str, said(caught.value)))
        del values["key"]
        client.secrets.refresh()
        with pytest.raises(InvalidTaskError, match="no secret `key`"):
            client.execute(TASK)


def test_a_store_takes_its_key_from_vault(guarded: Guarded, bao: Bao) -> None:
    bao.put("lake", id="FIRST-KEY-ID", key="the key of the lake")
    vault = Vault(bao.address, ROOT_TOKEN, ca_file=bao.ca_file)
    options = guarded.options | {
        "aws_access_key_id": secret("lake#id"),
        "aws_secret_access_key": secret("lake#key"),
    }
    with RLMClient(threads=1, workers=1, secrets=[vault], storage_options=options) as client:
        assert client.execute(TASK) == TOTAL
        bao.put("lake", id="SECOND-KEY-ID", key="the other key of the lake")
        guarded.key = "SECOND-KEY-ID"
        assert client.execute(TASK) == TOTAL
        read = task(lambda _: current_task().secrets["lake#key"].reveal(), [0], "lake#key")
        assert client.execute(read) == ["the other key of the lake"]


def test_options_of_one_source_go_before_those_of_the_client(guarded: Guarded) -> None:
    values = {"key-id": "FIRST-KEY-ID", "key": "the first of the keys", "wrong": "WRONG-KEY-ID"}
    client_options = guarded.options | {"aws_access_key_id": secret("wrong")}
    with RLMClient(threads=1, secrets=[values], storage_options=client_options) as client:
        with pytest.raises(SourceUnreadableError, match="refuses access"):
            client.execute(TASK)
        for own in ({"aws_access_key_id": secret("key-id")}, {"AWS_ACCESS_KEY_ID": {"secret": "key-id"}}):
            task = {**TASK, "input": {**TASK["input"], "storageOptions": own}}
            assert client.execute(task) == TOTAL
            query = {**task, "operation": {"sql": "select sum(n) from partition"}}
            del query["input"]["operation"]
            assert client.execute(query).to_pandas().iloc[0, 0] == TOTAL
            table = client.table("s3://bucket/data", storage_options=own)
            data = pd.DataFrame({"n": [1, 2]})
            joined = {"source": data, "operation": lambda p, table=table: p.merge(table, on="n")["n"].sum()}
            assert client.execute({"type": "parallel", "input": joined}) == 3
    with RLMClient(threads=1, secrets=[values]) as client:
        task = {**TASK, "input": {**TASK["input"], "storage_options": guarded.options}}
        assert client.execute(task) == TOTAL


def test_documents_hold_no_credentials(guarded: Guarded) -> None:
    with RLMClient(threads=1) as client:
        for value in (
            "hunter2-hunter2",
            Secret("hunter2-hunter2"),
            ["hunter2-hunter2"],
            {"value": "hunter2-hunter2"},
        ):
            own = guarded.options | {"aws_secret_access_key": value}
            with pytest.raises(
                InvalidTaskError, match=r"input\.storageOptions\.aws_secret_access_key"
            ) as caught:
                client.execute({**TASK, "input": {**TASK["input"], "storageOptions": own}})
            assert "hunter2" not in "".join(map(str, said(caught.value)))
        with pytest.raises(InvalidTaskError, match=r"input\.storageOptions is for files"):
            client.execute(
                {
                    "type": "parallel",
                    "input": {
                        "source": pd.DataFrame({"n": [1]}),
                        "operation": len,
                        "storageOptions": {"aws_region": "eu"},
                    },
                }
            )
        with pytest.raises(InvalidTaskError, match=r"`tags\[0\]`|`options.tags\[0\]`"):
            client.execute({**TASK, "options": {"tags": [Secret("hunter2-hunter2")]}})


def test_options_of_stores_are_refused_where_there_is_none(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), tmp_path / "part.parquet")
    local = str(tmp_path / "part.parquet")
    options = {"aws_region": "eu"}
    with RLMClient(threads=1) as client:
        for source in (local, f"file://{local}", [local]):
            with pytest.raises(InvalidTaskError, match="in none"):
                client.execute(
                    {
                        "type": "parallel",
                        "input": {"source": source, "operation": len, "storageOptions": options},
                    }
                )
        for table in (local, tmp_path / "part.parquet", pd.DataFrame({"n": [1]})):
            with pytest.raises(InvalidTaskError, match="in none"):
                client.table(table, storage_options=options)


def test_unknown_options_are_refused_although_values_are_secrets() -> None:
    options = {"aws_secret_acess_key": secret("key")}
    with RLMClient(threads=1, secrets=[{"key": "a value of a key"}], storage_options=options) as client:
        with pytest.raises(InvalidTaskError, match="aws_secret_acess_key"):
            client.execute(TASK)


# Operations.
def task(operation: Any, items: list[Any], *names: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "parallel",
        "input": {"items": items, "operation": operation},
        "options": {"secrets": list(names), **more},
    }


def read_it(name: str) -> tuple[str, list[str], str, str]:
    held = current_task().secrets
    return held[name].reveal(), sorted(held), repr(held), f"{held[name]}"


def test_operations_read_what_their_task_names() -> None:
    with RLMClient(threads=1, workers=1, secrets=[{"a": "value of a", "b": "value of b"}]) as client:
        found = client.execute(task(read_it, ["a", "b"], "a", "b"))
        assert found == [(f"value of {n}", ["a", "b"], "<secrets a, b>", "***") for n in "ab"]
        # A task that names none has none, in the same worker.
        assert client.execute(task(lambda _: len(current_task().secrets), [0])) == [0]
        with pytest.raises(RLMError, match=r"b: the task did not give it.*options\.secrets"):
            client.execute(task(read_it, ["b"], "a"))
        with pytest.raises(InvalidTaskError, match="no secret `c`"):
            client.execute(task(read_it, ["a"], "a", "c"))
        assert client.execute(
            {
                "type": "sequential",
                "input": {
                    "steps": [lambda v: [*v, current_task().secrets["a"].reveal()]] * 2,
                    "items": [[1]],
                },
                "options": {"secrets": ["a"]},
            }
        ) == [[1, "value of a", "value of a"]]


def test_operations_on_sources_in_python_mode() -> None:
    data = pd.DataFrame({"v": [1, 2, 3]})

    def with_secret(partition: Any) -> Any:
        return partition.assign(size=len(current_task().secrets["a"].reveal()))

    document: dict[str, Any] = {
        "type": "parallel",
        "input": {"source": data, "operation": with_secret, "chunkSize": 2},
    }
    with RLMClient(threads=1, workers=1, secrets=[{"a": "value of a"}]) as client:
        options = {"secrets": ["a"], "mode": "python"}
        assert list(client.execute(document | {"options": options}).to_pandas()["size"]) == [10, 10, 10]
        for mode in ("auto", "native"):
            with pytest.raises(InvalidTaskError, match=r"options\.secrets"):
                client.execute(document | {"options": {"secrets": ["a"], "mode": mode}})
        with pytest.raises(InvalidTaskError, match=r"options\.secrets"):
            client.sql("select v from partition", source=data, secrets=["a"])


def test_a_rotated_value_is_read_by_the_next_call() -> None:
    values = {"a": "the first value"}

    def items() -> Iterator[int]:
        yield 0
        values["a"] = "the second value"
        yield from (1, 2)

    def read(_: int) -> str:
        return current_task().secrets["a"].reveal()

    document = {
        "type": "sequential",
        "input": {"items": items(), "operation": read},
        "options": {"secrets": ["a"]},
    }
    with RLMClient(threads=1, workers=1, secrets=[values], secrets_ttl=0) as client:
        assert client.execute(document)[::2] == ["the first value", "the second value"]


def test_a_secret_in_a_closure_is_refused_with_the_way_out() -> None:
    held = Secret("a value in a closure")
    with RLMClient(threads=1, workers=1) as client:
        with pytest.raises(InvalidTaskError, match=r"options\.secrets"):
            client.execute(task(lambda _: held.reveal(), [0]))
