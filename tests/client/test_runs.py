"""Runs: state, progress, accounting, cancelling, explaining, and the async twins."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pyarrow as pa
import pytest
from rlm_hypervisor import (
    InvalidTaskError,
    NotDecomposableError,
    RLMClient,
    RLMError,
    Run,
    TaskCancelledError,
)
from rlm_hypervisor.progress import Accounting

from tests.conftest import make_task

STATES = {"queued", "running", "succeeded", "failed", "cancelled"}


ENDS = ("succeeded", "failed", "dead_lettered", "cancelled", "skipped")


def _adds_up(run: Run) -> Accounting:
    accounting = run.progress.accounting
    ends = [getattr(accounting, name) for name in ENDS]
    assert min(ends) >= 0
    assert sum(ends) + accounting.pending == accounting.accepted
    assert accounting.pending >= 0
    return accounting


def _until(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_a_run_that_succeeds(client: RLMClient, data: pa.Table) -> None:
    run = client.submit(make_task(data, lambda p: p["i"].sum(), chunkSize=2))
    assert run.result(timeout=60) == 21
    assert run.state == "succeeded"
    assert isinstance(run.id, str)
    assert run.id
    accounting = _adds_up(run)
    assert accounting.succeeded == accounting.accepted == run.progress.chunks_done == 3
    assert accounting.failed == accounting.cancelled == 0
    assert run.progress.rows_done == 6
    assert run.progress.fraction == 1
    assert run.done
    assert run.exception() is None
    assert [event["event"] for event in run.events()][-1] == "succeeded"
    assert run.metrics()["rows"] == 6
    assert run.result() == 21


def test_ids_differ(client: RLMClient, data: pa.Table) -> None:
    runs = [client.submit(make_task(data, lambda p: p["i"].sum())) for _ in range(5)]
    assert len({run.id for run in runs}) == 5
    assert [run.result(timeout=60) for run in runs] == [21] * 5


def test_the_accounting_adds_up_at_every_moment(client: RLMClient, slow: dict[str, Any]) -> None:
    run = client.submit(slow)
    done: list[int] = []

    def looked() -> bool:
        _adds_up(run)
        assert run.state in STATES
        done.append(run.progress.rows_done)
        return done[-1] > 0

    _until(looked)
    for _ in range(60):
        looked()
        time.sleep(0.01)
    assert done == sorted(done)
    run.cancel()
    with pytest.raises(TaskCancelledError):
        run.result(timeout=60)
    accounting = _adds_up(run)
    assert accounting.pending == 0, "every chunk has ended as something"
    assert accounting.cancelled > 0


def test_cancel(client: RLMClient, slow: dict[str, Any]) -> None:
    run = client.submit(slow)
    _until(lambda: run.progress.rows_done > 0)
    run.cancel()
    with pytest.raises(TaskCancelledError) as caught:
        run.result(timeout=60)
    assert caught.value.code == "CANCELLED"
    assert caught.value.task_id == run.id
    assert run.state == "cancelled"
    still = run.progress.rows_done
    time.sleep(0.2)
    assert run.progress.rows_done == still
    run.cancel()
    assert run.state == "cancelled"


def test_cancelling_a_run_leaves_its_siblings(
    client: RLMClient, slow: dict[str, Any], data: pa.Table
) -> None:
    doomed = client.submit(slow)
    other = client.submit(make_task(data, lambda p: p["i"].sum()))
    doomed.cancel()
    assert other.result(timeout=60) == 21


def test_patience_ends_before_the_run(client: RLMClient, slow: dict[str, Any]) -> None:
    run = client.submit(slow)
    with pytest.raises(TimeoutError):
        run.result(timeout=0.05)
    assert run.state in ("queued", "running")
    run.cancel()


def test_explain_is_for_people(client: RLMClient, data: pa.Table, tmp_path: Any) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "t.parquet"
    pq.write_table(data, path, row_group_size=2)
    run = client.submit(make_task(str(path), lambda p: p[p["i"] > 4].groupby("k")["x"].sum(), chunkSize=2))
    run.result(timeout=60)
    text = str(run.explain())
    assert run.explain().to_dict()["mode"] == "native"
    for word in ("native", "chunk", "row", "byte", "k", "x"):
        assert word in text.lower(), f"{word!r} is not in\n{text}"
    assert "prun" in text.lower()
    assert "push" in text.lower()


def test_a_failed_trace_never_becomes_a_run(client: RLMClient, data: pa.Table) -> None:
    with pytest.raises(NotDecomposableError):
        client.submit(make_task(data, lambda p: p["x"].tolist())).result(timeout=60)


def test_aexecute_under_a_running_loop(client: RLMClient, data: pa.Table) -> None:
    async def main() -> list[Any]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        one = client.aexecute(make_task(data, lambda p: p["i"].sum()))
        two = client.aexecute(make_task(data, lambda p: p["i"].max()))
        answers = await asyncio.gather(one, two)
        ticking.cancel()
        return [*answers, ticks > 0]

    assert asyncio.run(main()) == [21, 6, True]


def test_asubmit(client: RLMClient, data: pa.Table) -> None:
    async def main() -> Any:
        run = await client.asubmit(make_task(data, lambda p: p["i"].sum()))
        return run.result(timeout=60), run.state

    assert asyncio.run(main()) == (21, "succeeded")


def test_errors_come_through_aexecute(client: RLMClient, data: pa.Table) -> None:
    async def main() -> None:
        await client.aexecute(make_task(data, lambda p: p["nope"].sum()))

    with pytest.raises(RLMError, match="nope"):
        asyncio.run(main())


def test_cancelling_the_coroutine_cancels_the_run(slow: dict[str, Any]) -> None:
    async def main(client: RLMClient) -> None:
        waiting = asyncio.create_task(client.aexecute(slow))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    started = time.monotonic()
    with RLMClient(threads=1) as client:
        asyncio.run(main(client))
    assert time.monotonic() - started < 30, "the long run was waited for"


def test_a_closed_client_is_refused(data: pa.Table) -> None:
    client = RLMClient(threads=1)
    with client as same:
        assert same is client
        assert client.execute(make_task(data, lambda p: p["i"].sum())) == 21
    client.close()
    for call in (client.execute, client.submit):
        with pytest.raises(InvalidTaskError, match="closed"):
            call(make_task(data, lambda p: p["i"].sum()))


def test_closing_cancels_what_runs(slow: dict[str, Any]) -> None:
    client = RLMClient(threads=1)
    run = client.submit(slow)
    client.close()
    with pytest.raises(RLMError):
        run.result(timeout=60)
    assert run.state in ("cancelled", "failed")


@pytest.mark.parametrize("grouping", ["auto", "datafusion"])
def test_the_operator_that_groups_can_be_chosen(data: pa.Table, grouping: str) -> None:
    with RLMClient(threads=1, grouping=grouping) as client:
        run = client.submit(make_task(data, lambda p: p.groupby("k")["i"].sum()))
        assert run.result(timeout=60).to_dict() == {"a": 8, "b": 4, "c": 5}
        assert ("datafusion" in str(run.explain().to_dict()["grouping"]).lower()) == (
            grouping == "datafusion"
        )


def test_the_environment_chooses_it_too(data: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_GROUPING", "datafusion")
    with RLMClient(threads=1) as client:
        run = client.submit(make_task(data, lambda p: p.groupby("k")["i"].sum()))
        run.result(timeout=60)
        assert "datafusion" in str(run.explain().to_dict()["grouping"]).lower()


def test_head_stops_early_and_leaves_nothing_running(client: RLMClient, slow: dict[str, Any]) -> None:
    slow["input"] |= {"operation": lambda p: p[p["x"] == 3.0].head(1), "chunkSize": 1000}
    run = client.submit(slow)
    assert run.result(timeout=60).to_arrow()["x"].to_pylist() == [3.0]
    accounting = _adds_up(run)
    assert accounting.pending == accounting.failed == accounting.cancelled == 0
    assert 0 < accounting.succeeded < accounting.skipped

    def idle() -> bool:
        before = time.process_time()
        time.sleep(0.1)
        return time.process_time() - before < 0.05

    _until(idle)


def test_an_error_is_accounted_for(client: RLMClient, data: pa.Table, tmp_path: Any) -> None:
    import pyarrow.parquet as pq

    for number in range(20):
        pq.write_table(data, tmp_path / f"{number:02}.parquet", compression="none")
    broken = tmp_path / "07.parquet"
    content = broken.read_bytes()
    broken.write_bytes(content[:4] + b"\xff" * 60 + content[64:])
    run = client.submit(make_task(str(tmp_path), lambda p: p.groupby("k")["i"].sum(), chunkSize=1))
    error = run.exception(timeout=60)
    assert error is not None
    assert error.code == "SOURCE_UNREADABLE"
    assert "07.parquet" in str(error)
    assert run.state == "failed"
    accounting = _adds_up(run)
    assert accounting.accepted == 120
    assert accounting.pending == 0
    assert accounting.failed == 1


def test_what_is_not_known_yet_is_none(client: RLMClient) -> None:
    for _ in range(20):
        run = client.submit(make_task(pa.table({"v": [1.0] * 100}), lambda p: p["v"].sum()))
        early = run.progress
        assert (early.chunks_total is None) == (early.fraction is None)
        assert early.fraction != 1.0 or early.chunks_done == early.chunks_total
        run.result()
        assert run.progress.fraction == 1.0
