"""A planted secret is told in this process: while tracing, in documents, names and stores, in what is kept of runs."""

from __future__ import annotations

import base64
import builtins
import contextlib
import os
import pickle
import reprlib
import sys
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
    current_task,
    secret,
)

from tests.secrets._planted import (
    PLANTED,
    PROVIDERS,
    RAISES,
    WAYS,
    leaks,
    nothing_leaks,
    of_run,
    raise_it,
    said,
    task,
)


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


def test_texts_with_halves_of_characters(planted: RLMClient) -> None:
    assert RLMError("half \ud83d a face", details={"a": "\udcff"}).message == "half \ud83d a face"
    error = RLMError(f"half \ud83d a face and {PLANTED}")
    assert error.message == "half \\ud83d a face and ***"

    def raises(item: int) -> None:
        raise ValueError(f"half \ud83d a face and {PLANTED}")

    found = planted.execute(task(raises, [0], onError="collect"))[0]
    assert isinstance(found, OperationFailedError)
    assert not any(leaks(repr(part)) for part in said(found))


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
        # What the sort left on the disk goes while it is looked at.
        for folder, _, names in os.walk(tmp_path):
            for path in (Path(folder, name) for name in names):
                with contextlib.suppress(FileNotFoundError):
                    nothing_leaks(str(path), path.read_bytes())


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
