"""Serving: many callers, each with one input at a time, joined into batches of a model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

WIDTH = 1_024
"""Numbers of an input; the model is three square matrices of that width."""
BATCH = 64
WAIT_MS = 2
CALLERS = 64

Call: TypeAlias = Callable[[Any], Any]
"""One input in, its result out."""


def load() -> list[Any]:
    """The model's weights: the same in every process."""
    chance = np.random.default_rng(7)
    return [chance.normal(0, WIDTH**-0.5, (WIDTH, WIDTH)).astype(np.float32) for _ in range(3)]


def predict(model: list[Any], batch: Any) -> list[float]:
    """One number for each input."""
    values = np.stack(batch)
    for weights in model:
        values = np.maximum(values @ weights, 0)
    return [float(value) for value in values.sum(axis=1)]


def inputs(count: int) -> list[Any]:
    """Some inputs."""
    return list(np.random.default_rng(3).normal(size=(count, WIDTH)).astype(np.float32))


def ours(client: Any) -> Call:
    """A run for every input; runs share batches."""

    def call(value: Any) -> Any:
        given = {
            "items": [value],
            "setup": load,
            "operation": predict,
            "chunkSize": BATCH,
            "maxWaitMs": WAIT_MS,
        }
        (result,) = client.execute({"type": "parallel_inference", "input": given})
        return result

    return call


@contextmanager
def one_by_one(workers: int) -> Iterator[Call]:
    """The model in this process, and a pool of threads that ask it for one input at a time."""
    from concurrent.futures import ThreadPoolExecutor

    model = load()
    with ThreadPoolExecutor(workers) as pool:
        yield lambda value: pool.submit(predict, model, [value]).result()[0]


@contextmanager
def ray_serve(workers: int) -> Iterator[Call]:
    """Ray Serve's own batching, asked through a handle."""
    import ray
    from ray import serve

    started = not ray.is_initialized()

    @serve.deployment(num_replicas=workers, max_ongoing_requests=4 * BATCH)
    class Model:
        def __init__(self) -> None:
            self.model = load()

        @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WAIT_MS / 1000)  # type: ignore[untyped-decorator]
        async def answer(self, batch: list[Any]) -> list[float]:
            return predict(self.model, batch)

        async def __call__(self, value: Any) -> float:
            return await self.answer(value)  # type: ignore[no-any-return]

    handle = serve.run(Model.bind(), name="model", route_prefix=None)
    try:
        yield lambda value: handle.remote(value).result()
    finally:
        serve.shutdown()
        if started:
            ray.shutdown()


PEERS: dict[str, Callable[[int], Any]] = {
    "ThreadPoolExecutor, one by one": one_by_one,
    "Ray Serve": ray_serve,
}


def right(call: Call) -> bool:
    """Whether the answers are those of the model."""
    some = inputs(3)
    return bool(np.allclose([call(value) for value in some], predict(load(), some), rtol=1e-3))


def load_test(call: Call, each: int) -> tuple[float, list[float]]:
    """Seconds until all callers had their answers, and how long each answer took."""
    some = inputs(CALLERS)
    taken: list[list[float]] = [[] for _ in range(CALLERS)]
    gate = threading.Barrier(CALLERS + 1)

    def ask(caller: int) -> None:
        gate.wait()
        for _ in range(each):
            begun = time.perf_counter()
            call(some[caller])
            taken[caller].append(time.perf_counter() - begun)

    threads = [threading.Thread(target=ask, args=(caller,)) for caller in range(CALLERS)]
    for thread in threads:
        thread.start()
    gate.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun, [seconds for own in taken for seconds in own]


def served(
    client: Any, workers: int, rounds: int, each: int
) -> tuple[list[list[str]], dict[str, str], dict[str, Any]]:
    """Rows of the report, why peers are not there, and the numbers: all take turns."""
    from contextlib import ExitStack
    from statistics import median, quantiles

    missing: dict[str, str] = {}
    with ExitStack() as stack:
        calls: dict[str, Call] = {"ours": ours(client)}
        for name, start in PEERS.items():
            try:
                calls[name] = stack.enter_context(start(workers))
            except Exception as error:
                missing[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        for name, call in calls.items():
            if not right(call):
                raise SystemExit(f"WRONG ANSWER: {name}, serving")
        rates: dict[str, list[float]] = {name: [] for name in calls}
        times: dict[str, list[float]] = {name: [] for name in calls}
        names = list(calls)
        for number in range(rounds):
            for place in range(len(names)):
                name = names[(place + number) % len(names)]
                seconds, taken = load_test(calls[name], each)
                rates[name].append(CALLERS * each / seconds)
                times[name] += taken
    rows = [
        [
            name,
            f"{median(rates[name]):,.0f}",
            f"{median(times[name]) * 1e3:,.3g}",
            f"{quantiles(times[name], n=100)[98] * 1e3:,.3g}",
        ]
        for name in names
    ]
    return rows, missing, {"rates": rates, "seconds": times}
