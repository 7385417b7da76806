"""Threads as workers, ours beside the pools of threads that Python and joblib have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from _pools import Peer, lots


@contextmanager
def thread_pools(workers: int) -> Iterator[tuple[list[Peer], dict[str, str]]]:
    """The peers, each started once, and why others are not there."""
    from concurrent.futures import ThreadPoolExecutor
    from multiprocessing.pool import ThreadPool

    missing: dict[str, str] = {}
    with ThreadPoolExecutor(workers) as futures, ThreadPool(workers) as pool:
        peers = [
            Peer(
                "ThreadPoolExecutor",
                lambda function, items: list(futures.map(function, items)),
                lambda function, item: futures.submit(function, item).result(),
                None,
            ),
            Peer(
                "ThreadPool",
                lambda function, items: pool.map(function, items, lots(len(items), workers)),
                lambda function, item: pool.apply(function, (item,)),
                None,
            ),
        ]
        try:
            from joblib import Parallel, delayed
        except ImportError as error:
            missing["joblib (threads)"] = str(error)
            yield peers, missing
            return
        with Parallel(n_jobs=workers, backend="threading") as parallel:
            call = lambda function, items: parallel(delayed(function)(item) for item in items)  # noqa: E731
            peers.append(Peer("joblib (threads)", call, lambda f, item: call(f, [item])[0], None))
            yield peers, missing
