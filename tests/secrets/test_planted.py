"""A secret is planted, told in every way that user code has, and looked for in everything that leaves the process."""

from __future__ import annotations

import base64
import builtins
import contextlib
import faulthandler
import json
import logging
import os
import pickle
import reprlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    OperationFailedError,
    OutOfMemoryError,
    RLMClient,
    RLMError,
    Secret,
    WorkerCrashedError,
    _core,
    current_task,
    secret,
)

from tests.secrets._planted import PLANTED, leaks, of_run, said, ways

WAYS = ways()
PROVIDERS = [{"planted": PLANTED}]


@pytest.fixture(scope="module")
def planted() -> Iterator[RLMClient]:
    """A client that knows the planted secret."""
    with RLMClient(threads=1, workers=1, secrets=PROVIDERS, mode="auto") as client:
        client.secrets.get("planted")
        yield client


def task(operation: Any, items: Any, **options: Any) -> dict[str, Any]:
    return {"type": "parallel", "input": {"items": items, "operation": operation}, "options": options}


def nothing_leaks(*told: Any) -> None:
    for one in told:
        data = one if isinstance(one, str | bytes) else repr(one)
        assert not leaks(data), f"{leaks(data)} in {data[:4_000]!r}"


NASTY = {
    "letters of many alphabets": "пароль-contraseña-密码",
    "surrogate pairs": "key-🔑-of-🏠",
    "quotes and backslashes": "a'b\"c\\\\d\\n%2F&amp;",
    "lines": "first line of it\nsecond line of it\n",
    "a key": "-----BEGIN PRIVATE KEY-----\n"
    + "MIIEvQIBADANBgkqhkiG9w0B\n" * 3
    + "-----END PRIVATE KEY-----\n",
    "spaces": "correct horse battery staple",
    "short": "q7z!",
    "looks like base64": "c2VjcmV0LWluLWJhc2U2NA==",
}


@pytest.mark.parametrize("kind", NASTY)
def test_values_of_all_kinds_are_taken_out(kind: str) -> None:
    value = NASTY[kind]
    held = Secret(value)
    for way, text in ways(value).items():
        clean = _core.redact(f"before {text} after")
        assert "***" in clean, (way, clean)
        assert clean.startswith("before "), way
        assert clean.endswith(" after"), way
        assert value.strip() not in clean, way
        # Beyond what stands around the value in base64, and the heads and tails of keys, nothing of it is left.
        left = clean.removeprefix("before ").removesuffix(" after")
        allowed = 24 if kind != "a key" else 200
        assert len(left) <= allowed, (way, left)
    assert held.reveal() == value


def test_credentials_within_a_secret_are_taken_out() -> None:
    account = json.dumps(
        {"type": "service_account", "private_key": "-----BEGIN-----\nQUJDREVGR0hJSktMTU5P\n-----END-----"}
    )
    held = [Secret(account), Secret("postgres://me:hunter%4022@db/x"), Secret("Server=db;Pwd=Pwd0fTheDb;")]
    text = _core.redact("QUJDREVGR0hJSktMTU5P hunter@22 hunter%4022 Pwd0fTheDb service_account")
    assert text == "*** *** *** *** service_account"
    assert len(held) == 3


def test_the_search_finds_what_is_there() -> None:
    for way, text in WAYS.items():
        assert leaks(f"x{text}y"), way
        assert any(leaks(part) for part in said(ValueError(text))), way


# Workers.
class Odd(Exception):
    """Keeps its text in places of its own."""

    def __init__(self, text: str) -> None:
        super().__init__("odd", {"in a dict": [text]})
        self.more = {"text": (text, 1)}
        self.opaque = Opaque(text)

    def __str__(self) -> str:
        return f"odd: {self.more['text'][0]} {self.opaque}"


class Opaque:
    def __init__(self, text: str) -> None:
        self.text = [text]

    def __repr__(self) -> str:
        return f"<{self.text[0]}>"


class Stubborn(Exception):
    """Hides its text where it cannot be changed."""

    __slots__ = ("parts",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts = tuple(text)

    def __str__(self) -> str:
        return "".join(self.parts)

    def __reduce__(self) -> Any:
        return Stubborn, (str(self),)


def raise_it(item: tuple[str, str]) -> None:
    how, text = item
    if how == "value":
        raise ValueError("connection failed: " + text + "; giving up")
    if how == "os":
        raise FileNotFoundError(2, "no such thing as " + text, "/tmp/" + text)
    if how == "key":
        raise KeyError(text)
    if how == "odd":
        raise Odd(text)
    if how == "stubborn":
        raise Stubborn(text)
    if how == "chained":
        try:
            raise KeyError(text)
        except KeyError as error:
            raise RuntimeError(f"because of {text}") from error
    if how == "context":
        try:
            raise KeyError(text)
        except KeyError:
            raise RuntimeError(f"after {text}")  # noqa: B904
    if how == "noted":
        error = ValueError("noted")
        error.__notes__ = [f"with {text}"]  # type: ignore[attr-defined]
        raise error
    if how == "long":
        # The secret lies across the place where texts are cut.
        raise ValueError("x" * (3_990 - len(text) % 7) + text * 3)
    if how == "very long":
        raise ValueError("x" * 15_990 + text * 3)
    if how == "ours":
        raise InvalidTaskError("ours: " + text, details={"text": [text, {text: Opaque(text)}]})
    if how == "exit":
        raise SystemExit(text)


RAISES = (
    "value",
    "os",
    "key",
    "odd",
    "stubborn",
    "chained",
    "context",
    "noted",
    "long",
    "very long",
    "ours",
    "exit",
)


def test_exceptions_of_operations(planted: RLMClient) -> None:
    items = [(how, text) for how in RAISES for text in WAYS.values()]
    run = planted.submit(task(raise_it, items, onError="collect"))
    results = run.result(60)
    assert len(results) == len(items)
    for (how, _), error in zip(items, results, strict=True):
        assert isinstance(error, RLMError), how
        nothing_leaks(*said(error))
        assert "*" in str(error) or how in ("noted", "very long"), (how, error)
    nothing_leaks(*of_run(run), *(part for error in run.failures().values() for part in said(error)))
    kinds = {how: error for (how, _), error in zip(items, results, strict=True)}
    assert isinstance(kinds["value"].__cause__, ValueError)
    assert isinstance(kinds["key"].__cause__, KeyError)
    assert isinstance(kinds["os"].__cause__, FileNotFoundError)
    assert isinstance(kinds["chained"].__cause__, RuntimeError)
    with pytest.raises(OperationFailedError) as caught:
        planted.execute(task(raise_it, [("value", PLANTED)]))
    nothing_leaks(*said(caught.value))
    assert "connection failed: ***; giving up" in str(caught.value)


def tell_it(text: str) -> int:
    """Writes a text in every way, and in pieces."""
    print("printed", text, flush=True)
    for at in range(0, len(text), 3):
        os.write(1, text[at : at + 3].encode())
        time.sleep(0.0005)
    os.write(2, b"raw: " + text.encode() + b"\n")
    sys.stderr.write(text + "\n")
    logging.getLogger("app." + text[:3]).error("logged %s", text, extra={"text": text})
    logging.getLogger("app").error("failed", exc_info=ValueError(text))
    current_task().report(0.5, f"at {text}")
    current_task().logger.info("told %s", text)
    subprocess.run(["/bin/echo", "of a child: " + text], check=True)
    return len(text)


def test_what_operations_write(planted: RLMClient) -> None:
    run = planted.submit(task(tell_it, list(WAYS.values())))
    assert run.result(60) == [len(text) for text in WAYS.values()]
    told = run.output()
    assert {one["stream"] for one in told} == {"stdout", "stderr", "log", "progress"}
    whole = "".join(one["text"] for one in told if one["stream"] == "stdout")
    assert whole.count("printed ") == whole.count("of a child: ") == len(WAYS)
    nothing_leaks(*of_run(run), whole)
    # What is no secret is all there.
    assert "printed ***\n" in whole


def crash_it(text: str) -> None:
    sys.stderr.write(f"about to crash with {text}\n")
    sys.stderr.flush()
    os.write(2, b"z" * 16_000 + text.encode())
    os.abort()


def exit_it(text: str) -> None:
    os.write(2, text.encode())
    os._exit(3)


@pytest.mark.parametrize("crash", [crash_it, exit_it])
def test_workers_that_die(planted: RLMClient, crash: Any) -> None:
    assert faulthandler.is_enabled() or True
    for text in (PLANTED, WAYS["base64 after one"]):
        run = planted.submit(task(crash, [text]))
        with pytest.raises(WorkerCrashedError) as caught:
            run.result(60)
        assert "***" in caught.value.details["stderr"]
        nothing_leaks(*said(caught.value), *of_run(run))


def hoard_it(text: str) -> None:
    print("hoarding for", text, flush=True)
    hoard = []
    while True:
        hoard.append(b"x" * 10_000_000)


def test_a_worker_that_holds_too_much(planted: RLMClient) -> None:
    run = planted.submit(task(hoard_it, [PLANTED], memoryLimit=150_000_000))
    with pytest.raises(OutOfMemoryError) as caught:
        run.result(60)
    nothing_leaks(*said(caught.value), *of_run(run))


def in_chunks(partition: Any) -> Any:
    print("rows for", PLANTED)
    if len(partition) == 2:
        raise ValueError(PLANTED)
    return PLANTED


def test_sources_in_python_mode(planted: RLMClient) -> None:
    data = pd.DataFrame({"v": [1, 2, 3, 4]})
    for size in (2, 1):
        document = {
            "type": "parallel",
            "description": f"with {PLANTED}",
            "input": {"source": data, "operation": in_chunks, "chunkSize": size},
            "options": {"mode": "python", "tags": [PLANTED, "other"]},
        }
        run = planted.submit(document)
        with pytest.raises(RLMError) as caught:
            run.result(60)
        nothing_leaks(*said(caught.value), *of_run(run))
        assert run.tags == ["***", "other"]


# In this process.
def test_exceptions_while_tracing(planted: RLMClient) -> None:
    data = pd.DataFrame({"v": [1, 2, 3, 4]})
    for text in WAYS.values():
        for how in RAISES:

            def operation(partition: Any, how: str = how, text: str = text) -> Any:
                raise_it((how, text))

            if how == "exit":
                continue
            with pytest.raises(RLMError) as caught:
                planted.execute(
                    {
                        "type": "parallel",
                        "input": {"source": data, "operation": operation},
                        "options": {"mode": "native"},
                    }
                )
            nothing_leaks(*said(caught.value))


def test_plans_and_refusals(planted: RLMClient) -> None:
    data = pd.DataFrame({"v": ["a", "b"], "n": [1, 2]})

    def compared(partition: Any) -> Any:
        return partition[partition["v"] == 'Pl4nted/Secret+Value="9~&x']["n"].sum()

    run = planted.submit({"type": "parallel", "input": {"source": data, "operation": compared}})
    assert run.result(60) == 0
    nothing_leaks(*of_run(run))

    def refused(partition: Any) -> Any:
        return partition["v"].map(lambda v: v + 'Pl4nted/Secret+Value="9~&x' + 1)

    for operation in (refused, lambda p: p[PLANTED], lambda p: p["v"].str.contains("(" + PLANTED)):
        with pytest.raises(RLMError) as caught:
            planted.execute(
                {
                    "type": "parallel",
                    "input": {"source": data, "operation": operation},
                    "options": {"mode": "native"},
                }
            )
        nothing_leaks(*said(caught.value))


DOCUMENTS: dict[str, Any] = {
    "cut in two": {
        "type": "parallel",
        "input": {"items": [1], "operation": len},
        "options": {"mode": "x" * 50 + PLANTED},
    },
    "cut in two by another": {
        "type": "parallel",
        "input": {"items": [1], "operation": len},
        "options": {"mode": reprlib.repr("x" * 4 + PLANTED * 3)},
    },
    "type": {"type": PLANTED},
    "key": {"type": "parallel", PLANTED: 1},
    "option": {
        "type": "parallel",
        "input": {"items": [1], "operation": len},
        "options": {"retries": PLANTED},
    },
    "operation": {"type": "parallel", "operation": PLANTED, "input": {"items": [1]}},
    "description": {"type": "parallel", "description": PLANTED, "input": {"items": [1]}},
    "source": {"type": "parallel", "input": {"source": f"/data/{PLANTED}.parquet", "operation": len}},
    "query": {"type": "parallel", "operation": {"sql": f"select '{PLANTED}' from nowhere"}, "input": {}},
    "secret": {
        "type": "parallel",
        "input": {"items": [1], "operation": len},
        "options": {"secrets": ["planted", PLANTED]},
    },
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_that_are_wrong(planted: RLMClient, kind: str) -> None:
    with pytest.raises(RLMError) as caught:
        planted.execute(DOCUMENTS[kind])
    nothing_leaks(*said(caught.value))


def test_objects_that_cannot_be_sent(planted: RLMClient) -> None:
    class Unsendable:
        def __reduce__(self) -> Any:
            raise RuntimeError(f"holds {PLANTED}")

        def __arrow_c_stream__(self, schema: object | None = None) -> object:
            raise RuntimeError(f"holds {PLANTED}")

    held = Unsendable()
    for document in (
        task(lambda item: held, [1]),
        task(len, [held]),
        {"type": "parallel", "input": {"source": held, "operation": len}},
    ):
        with pytest.raises(RLMError) as caught:
            planted.execute(document)
        nothing_leaks(*said(caught.value))


def test_names_and_reprs(planted: RLMClient, tmp_path: Path) -> None:
    folder = tmp_path / base64.urlsafe_b64encode(PLANTED.encode()).decode()
    folder.mkdir()
    with RLMClient(threads=1, spill_dir=folder, secrets=PROVIDERS) as client:
        nothing_leaks(repr(client), repr(client.secrets), repr(client.secrets.get("planted")))
    with pytest.raises(RLMError) as caught:
        RLMClient(spill_dir=folder / "none")
    nothing_leaks(*said(caught.value))
    with pytest.raises(TypeError) as refused:
        pickle.dumps(planted.secrets.get("planted"))
    nothing_leaks(*said(refused.value))


# Where nothing is written that could be read later.
def look_around(_: int) -> dict[str, Any]:
    """What a worker could see of a secret that nobody gave it."""
    environment = Path("/proc/self/environ").read_bytes()
    command = Path("/proc/self/cmdline").read_bytes()
    return {"environ": environment, "variables": dict(os.environ), "command": command}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_and_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RLM_SECRET_PLANTED", PLANTED)
    monkeypatch.setenv("VAULT_TOKEN_OF_NOBODY", "is not hidden")

    def use_it(item: int) -> int:
        return len(current_task().secrets["planted"].reveal()) + item

    with RLMClient(threads=1, workers=1, spill_dir=tmp_path) as client:
        assert client.execute(task(use_it, [0, 1], secrets=["planted"])) == [len(PLANTED), len(PLANTED) + 1]
        seen = client.execute(task(look_around, [0]))[0]
        nothing_leaks(*seen.values())
        assert seen["variables"]["VAULT_TOKEN_OF_NOBODY"] == "is not hidden"
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    nothing_leaks((process / "cmdline").read_bytes())
                except OSError:
                    continue
        frame = pd.DataFrame({"v": range(200_000)})
        document = {
            "type": "parallel",
            "input": {"source": frame, "operation": lambda p: p.sort_values("v", ascending=False)},
            "options": {"memoryLimit": 2_000_000},
        }
        with contextlib.suppress(OutOfMemoryError):
            client.execute(document)
        for path in tmp_path.rglob("*"):
            nothing_leaks(str(path), path.read_bytes() if path.is_file() else b"")


def test_what_is_kept_of_runs(tmp_path: Path) -> None:
    def fails(item: int) -> int:
        value = current_task().secrets["planted"].reveal()
        print("failing with", value)
        if item % 2:
            raise ValueError(f"cannot log in with {value}")
        return item

    state = tmp_path / "state"
    with RLMClient(threads=1, workers=1, secrets=PROVIDERS, state_dir=state) as client:
        run = client.submit(
            task(fails, [0, 1, 2, 3], secrets=["planted"], onError="dead_letter", idempotencyKey="a-key")
        )
        assert run.result(60) == [0, 2]
        nothing_leaks(*of_run(run))
        letters = client.dead_letters()
        nothing_leaks(repr(letters), *(repr(vars(type(one))) + repr(one) for one in letters))
        for one in letters:
            nothing_leaks(*said(one.error))
        kept = [path for path in state.rglob("*") if path.is_file()]
        assert len(kept) >= 2
        for path in kept:
            nothing_leaks(str(path), path.read_bytes())
        with pytest.raises(InvalidTaskError, match="idempotencyKey") as caught:
            client.execute(task(fails, [0], secrets=["planted"], idempotencyKey=PLANTED))
        nothing_leaks(*said(caught.value))
        assert not any(leaks(str(path)) for path in state.rglob("*"))


def test_what_was_written(tmp_path: Path) -> None:
    data = pd.DataFrame({"v": [1, 2, 3]})
    document = {
        "type": "parallel",
        "input": {"source": data, "operation": lambda p: p},
        "output": str(tmp_path / "Pl4nted-in-a-path.parquet"),
    }
    with RLMClient(threads=1, secrets=[{"path": "Pl4nted-in-a-path"}]) as client:
        client.secrets.get("path")
        written = client.execute(document)
        assert "Pl4nted" not in repr(written)
        # What a program needs is as it is.
        assert pd.read_parquet(written.files[0].path)["v"].sum() == 6
        with pytest.raises(RLMError) as caught:
            client.execute(document)
        assert "Pl4nted" not in "".join(map(str, said(caught.value)))


def test_exceptions_in_chains_and_groups(planted: RLMClient) -> None:
    def chained() -> None:
        error: BaseException = ValueError(PLANTED)
        for number in range(40):
            try:
                raise KeyError(f"{number} {PLANTED}") from error
            except KeyError as raised:
                error = raised
        group = getattr(builtins, "ExceptionGroup", None)  # Python 3.11
        raise error if group is None else group("several " + PLANTED, [ValueError(PLANTED), error])

    for mode in ("native", "python"):
        document = {
            "type": "parallel",
            "input": {"source": pd.DataFrame({"v": [1]}), "operation": lambda p: chained()},
            "options": {"mode": mode},
        }
        with pytest.raises(RLMError) as caught:
            planted.execute(document)
        nothing_leaks(*said(caught.value))


# Stores.
def test_requests_of_stores(planted: RLMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {
        "aws_endpoint_url": "http://127.0.0.1:1",
        "aws_access_key_id": "AKIAEXAMPLE",
        "aws_region": "us-east-1",
    }
    for given in (secret("planted"), {"secret": "planted"}, planted.secrets.get("planted"), PLANTED):
        with RLMClient(
            threads=1, secrets=PROVIDERS, storage_options=options | {"aws_secret_access_key": given}
        ) as client:
            with pytest.raises(RLMError) as caught:
                client.execute(
                    {
                        "type": "parallel",
                        "input": {"source": "s3://bucket/key.parquet", "operation": len},
                        "options": {"timeoutMs": 1_500},
                    }
                )
            nothing_leaks(*said(caught.value), repr(client), repr(client.secrets))


def test_credentials_that_no_provider_has(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, of_url, of_environment = "Pl4nted-in-options", "Pl4nted-in-a-url", "Pl4nted-in-variable"
    monkeypatch.setenv("AWS_SESSION_TOKEN", of_environment)
    document = {"type": "parallel", "input": {"items": [1], "operation": len}}

    def raising(item: str) -> None:
        raise ValueError(item)

    with RLMClient(threads=1, workers=1, storage_options={"aws_secret_access_key": plain}) as client:
        for source in (
            f"https://user:{of_url}@127.0.0.1:1/x.parquet",
            f"s3://user:{of_url}@bucket/x.parquet",
            f"https://127.0.0.1:1/x.parquet?X-Amz-Signature={of_url}",
            f"https://user:{of_url}/@nowhere:port/x.parquet",
        ):
            with pytest.raises(RLMError) as caught:
                client.execute(
                    {
                        "type": "parallel",
                        "input": {"source": source, "operation": len},
                        "options": {"timeoutMs": 300},
                    }
                )
            assert "Pl4nted" not in "".join(map(str, said(caught.value)))
        for text in (plain, of_url, of_environment):
            with pytest.raises(OperationFailedError) as failed:
                client.execute(task(raising, [text]))
            assert "Pl4nted" not in "".join(map(str, said(failed.value)))
        assert client.execute(document | {"input": {"items": [[1]], "operation": len}}) == [1]
