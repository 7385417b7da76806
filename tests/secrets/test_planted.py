"""A secret is planted, told by workers in every way that user code has, and looked for in all that comes of it."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import subprocess
import sys
import time
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import (
    OperationFailedError,
    OutOfMemoryError,
    RLMClient,
    RLMError,
    Secret,
    WorkerCrashedError,
    _core,
    current_task,
)

from tests.secrets._planted import (
    PLANTED,
    RAISES,
    WAYS,
    leaks,
    nothing_leaks,
    of_run,
    raise_it,
    said,
    task,
    ways,
)

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
