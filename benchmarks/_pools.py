"""The peers of our workers: pools of processes, each started once, asked for the same things in its own words."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any


class Peer:
    """A pool: its name, a function over many items, one call, and functions over larger parts."""

    def __init__(
        self,
        name: str,
        items: Callable[[Callable[..., Any], Any], Any],
        single: Callable[[Callable[..., Any], Any], Any],
        parts: Callable[[Callable[..., Any], list[Any]], Any] | None,
    ) -> None:
        self.name, self.items, self.single, self.parts = name, items, single, parts


def lots(count: int, workers: int) -> int:
    """How many items go together where a peer wants to be told: four lots for each worker, as `multiprocessing` has it."""
    return max(1, -(-count // (4 * workers)))


@contextmanager
def _futures(workers: int) -> Iterator[Peer]:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers) as pool:
        yield Peer(
            "concurrent.futures",
            lambda function, items: list(pool.map(function, items, chunksize=lots(len(items), workers))),
            lambda function, item: pool.submit(function, item).result(),
            lambda function, parts: list(pool.map(function, parts)),
        )


@contextmanager
def _multiprocessing(workers: int) -> Iterator[Peer]:
    from multiprocessing import get_context

    with get_context("spawn").Pool(workers) as pool:
        yield Peer(
            "multiprocessing",
            pool.map,
            lambda f, item: pool.apply(f, (item,)),
            lambda f, p: pool.map(f, p, 1),
        )


@contextmanager
def _joblib(workers: int) -> Iterator[Peer]:
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    with Parallel(n_jobs=workers) as pool:
        call = lambda function, items: pool(delayed(function)(item) for item in items)  # noqa: E731
        yield Peer("joblib (loky)", call, lambda function, item: call(function, [item])[0], call)
    get_reusable_executor().shutdown()


@contextmanager
def _dask(workers: int) -> Iterator[Peer]:
    import dask
    from distributed import Client, LocalCluster

    dask.config.set({"distributed.worker.daemon": True})
    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, Client(cluster) as client:

        def items(function: Callable[..., Any], given: Any) -> Any:
            # Its tasks cost some tenths of a millisecond each, so items go in lots, as `dask.bag` has them.
            size = lots(len(given), workers)
            cut = [given[at : at + size] for at in range(0, len(given), size)]
            run = client.map(_all_of, cut, function=function, pure=False)
            return [one for lot in client.gather(run) for one in lot]

        yield Peer(
            "Dask",
            items,
            lambda function, item: client.submit(function, item, pure=False).result(),
            lambda function, parts: client.gather(client.map(function, parts, pure=False)),
        )


def _all_of(items: Any, function: Callable[..., Any]) -> list[Any]:
    return [function(item) for item in items]


@contextmanager
def _ray(workers: int) -> Iterator[Peer]:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray
    from ray.util.multiprocessing import Pool

    folder = str(Path(__file__).parent)
    ray.init(
        num_cpus=workers,
        include_dashboard=False,
        logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])}},
    )
    try:
        pool = Pool(workers)
        remote = functools.cache(ray.remote)

        yield Peer(
            "Ray",
            pool.map,
            lambda function, item: ray.get(remote(function).remote(item)),
            lambda function, parts: ray.get([remote(function).remote(part) for part in parts]),
        )
        pool.terminate()
    finally:
        ray.shutdown()


@contextmanager
def _celery(workers: int) -> Iterator[Peer]:
    import celery  # noqa: F401

    if shutil.which("redis-server") is None:
        raise ImportError("redis-server is not installed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        socket = folder / "redis.sock"
        command = [
            "redis-server",
            "--port",
            "0",
            "--unixsocket",
            str(socket),
            "--save",
            "",
            "--dir",
            str(folder),
        ]
        _started(stack, command)
        _until(socket.exists)
        os.environ["RLM_BENCH_REDIS"] = f"redis+socket://{socket}"
        from _celery_app import app, called

        here = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
        }
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "_celery_app",
            "worker",
            "-c",
            str(workers),
            "-l",
            "ERROR",
        ]
        _started(stack, [*command, "--without-gossip", "--without-mingle", "--without-heartbeat"], here)
        called.delay("noop", 1).get(timeout=60)

        def items(function: Callable[..., Any], given: Any) -> Any:
            size = lots(len(given), workers)
            name = function.__name__
            sent = [
                called.delay(name, list(given[at : at + size]), True) for at in range(0, len(given), size)
            ]
            return [one for lot in sent for one in lot.get(timeout=600)]

        # Its messages are text: tables do not go through them.
        yield Peer(
            "Celery (Redis)", items, lambda f, item: called.delay(f.__name__, item).get(timeout=60), None
        )
        app.close()


def _started(stack: ExitStack, command: list[str], env: dict[str, str] | None = None) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)

    def end() -> None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("a server of the peers does not start")
        time.sleep(0.01)


ALL: dict[str, Callable[[int], Any]] = {
    "concurrent.futures": _futures,
    "multiprocessing": _multiprocessing,
    "joblib": _joblib,
    "dask": _dask,
    "ray": _ray,
    "celery": _celery,
}


@contextmanager
def started(names: list[str], workers: int) -> Iterator[tuple[list[Peer], dict[str, str]]]:
    """The peers that are there, ready, and why others are not."""
    with ExitStack() as stack:
        peers, missing = [], {}
        for name in names:
            try:
                peers.append(stack.enter_context(ALL[name](workers)))
            except Exception as error:
                missing[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        yield peers, missing
