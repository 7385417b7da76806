"""One command: runs of all kinds under random faults for as long as is asked, with the laws checked after each.

python -m tests.faults.soak --minutes 30
python -m tests.faults.soak --kills 5000
python -m tests.faults.soak --minutes 0.1 --seed 7 --workers threads
python -m tests.faults.soak --clients 300 --only rows

It ends with status 1 and says what it found where an answer is wrong, books do not add up, or something stays behind:
a process, shared memory, a file handle, a thread, or memory that grows with the number of clients. That it would say so
of memory is shown by `--leak`.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from rlm_hypervisor import RLMClient, RLMError, split

from tests.faults import _harm
from tests.faults._harm import Striker, harm
from tests.faults._machine import Machine
from tests.faults._orphans import orphaned
from tests.faults._workers import PATIENCE, books, task

CODES = {
    **dict.fromkeys(_harm.CRASHING, "WORKER_CRASHED"),
    **dict.fromkeys(_harm.ENDLESS, "TIMEOUT"),
    **dict.fromkeys(_harm.GREEDY, "OUT_OF_MEMORY"),
    "raise": "OPERATION_FAILED",
}
"""How an item ends that does such harm at each attempt."""


class Soak:
    """Runs one kind of task after the other on a client, and looks after all of it.

    Args:
        seed: of all that is drawn; what the system does meanwhile is not the same twice.
        threads: whether the workers are threads.
        only: names of the kinds of tasks that are run, if not all are.
        leak: bytes that are kept after every client.
    """

    def __init__(self, seed: int, threads: bool = False, only: Sequence[str] = (), leak: int = 0) -> None:
        self.chance = random.Random(seed)
        self.threads = threads
        self.only = only
        self.leak = leak
        self._leaked: list[bytes] = []
        self.found: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        """Workers that were ended, by how."""
        self.items_ended = 0
        self.machine = Machine()
        self.workers = 1

    def plan(self, items: int, share: float, kinds: tuple[str, ...]) -> dict[int, str]:
        """Which items do harm, and which."""
        return {item: self.chance.choice(kinds) for item in range(items) if self.chance.random() < share}

    def items(self, client: RLMClient) -> None:
        """Items, many of which do harm each time: they and no others fail, each with its own code."""
        kinds = (*_harm.CRASHING * 3, *_harm.ENDLESS, *_harm.GREEDY, *_harm.HARMLESS, "raise")
        count = self.chance.randrange(1, 40)
        plan = self.plan(count, 0.5, _harm.ON_THREADS if self.threads else kinds)
        options: dict[str, Any] = {"onError": "skip", "retries": self.chance.randrange(3)}
        if set(plan.values()) & set(_harm.ENDLESS):
            options["chunkTimeoutMs"] = 250
        if set(plan.values()) & set(_harm.GREEDY):
            options["memoryLimit"] = f"{200 * self.workers}MiB"
        size = {"chunkSize": self.chance.randrange(1, 5)} if self.chance.random() < 0.5 else {}
        run = client.submit(task(_operation(plan), range(count), **options, **size))
        self.look(run)
        failures = run.failures()
        ended = {item: CODES[kind] for item, kind in plan.items() if kind in CODES}
        # On a busy machine what is slow for other reasons may be late too, which is no wrong answer.
        late = {
            item
            for item, error in failures.items()
            if error.code == "TIMEOUT" and "chunkTimeoutMs" in options
        }
        self.check(set(failures) - late == set(ended) - late, f"failures {failures}, planned {plan}")
        for item in set(ended) - late:
            self.check(failures[item].code == ended[item], f"item {item}, {plan[item]}: {failures[item]!r}")
        right = [item * 2 for item in range(count) if item not in failures]
        self.check([_plain(one) for one in run.result()] == right, "results of items")
        for item, error in failures.items():
            if plan.get(item) != "raise":
                self.kills[plan.get(item, "late")] += int(error.details["attempt"])

    def stormy(self, client: RLMClient) -> None:
        """Workers are struck from outside at all their ages, and end themselves while they answer."""
        count = self.chance.randrange(20, 120)
        plan = self.plan(count, 0.1, (*_harm.LATE, "large", "noise"))
        options = {"onError": "skip", "retries": 50, "maxBackoffMs": 5}
        with Striker(self.chance.randrange(1 << 30), 0.5, self.chance.randrange(5, 40)) as striker:
            run = client.submit(task(_operation(plan, 0.002), range(count), **options, chunkSize=8))
            self.look(run)
        self.kills.update({f"from outside, {age}": struck for age, struck in striker.struck.items()})
        if run.state == "failed":
            # As many crashes while workers start as look like their own fault.
            error = run.exception()
            self.check("for the 5th time" in str(error), f"a run in a storm ends with {error!r}")
            return
        lost = run.failures()
        codes = {error.code for error in lost.values()}
        self.check(codes <= {"WORKER_CRASHED"}, f"failures with {codes}")
        right = [item * 2 for item in range(count) if item not in lost]
        self.check([_plain(one) for one in run.result()] == right, "results in a storm")

    def idle(self, client: RLMClient) -> None:
        """Workers die while they have nothing to do, and the next run notices nothing."""
        client.warm()
        with Striker(self.chance.randrange(1 << 30), 0.01, 4) as striker:
            time.sleep(self.chance.uniform(0.01, 0.05))
        self.kills["idle"] += striker.struck.total()
        # A worker may be about to die when it takes its first item.
        run = client.submit(task(abs, range(-20, 0), retries=3, onError="skip"))
        self.look(run)
        self.check(run.result() == list(range(20, 0, -1)), f"results after idle deaths: {run.failures()}")

    def cancelled(self, client: RLMClient) -> None:
        """A run that is cancelled, or late, at a random moment."""
        late = self.chance.random() < 0.5
        options = {"timeoutMs": self.chance.randrange(5, 200)} if late else {}
        harms = ("noise", "large") if self.threads else (*_harm.ENDLESS, "daemon", "child", "noise", "close")
        plan = self.plan(50, 0.3, harms)
        run = client.submit(task(_operation(plan, 0.001), range(50), **options))
        if not late:
            time.sleep(self.chance.uniform(0, 0.2))
            run.cancel()
        self.look(run)
        try:
            run.result()
        except RLMError as error:
            self.check(error.code in ("CANCELLED", "TIMEOUT"), f"a stopped run says {error!r}")
            if not self.threads and books(run)["cancelled"]:
                self.kills["late run" if error.code == "TIMEOUT" else "cancelled run"] += 1

    def shared(self, client: RLMClient) -> None:
        """Callers share batches in which inputs end the worker: each caller has its own results and failures."""
        kinds = ("raise",) if self.threads else ("exit", "kill", "segfault", "answer", "raise")
        plan = self.plan(24, 0.2, kinds)

        def operation(batch: list[int]) -> list[Any]:
            return [(harm(plan[item]) if item in plan else None) or item * 2 for item in batch]

        runs = {}
        for caller in range(6):
            inputs = list(range(caller * 4, caller * 4 + 4))
            given = {"items": inputs, "operation": operation, "chunkSize": 8, "maxWaitMs": 5}
            options = {"onError": "collect"}
            runs[caller] = client.submit({"type": "parallel_inference", "input": given, "options": options})
        for caller, run in runs.items():
            self.look(run)
            for item, found in zip(range(caller * 4, caller * 4 + 4), run.result(), strict=True):
                code = CODES[plan[item]] if item in plan else None
                right = found == item * 2 if code is None else getattr(found, "code", None) == code
                self.check(right, f"input {item}, {plan.get(item)}: {found!r}")
        for kind in plan.values():
            self.kills[kind] += int(kind != "raise")

    def tree(self, client: RLMClient) -> None:
        """A tree, over numbers or over rows, which comes to its value."""
        n = self.chance.randrange(2, 12)
        if self.chance.random() < 0.5:
            run = client.submit(
                {
                    "type": "recursive",
                    "operation": lambda n: n if n < 2 else split([n - 1, n - 2], combine=sum),
                    "input": n,
                    "options": {"maxDepth": 20, "cache": self.chance.random() < 0.3},
                }
            )
            one, other = 0, 1
            for _ in range(n):
                one, other = other, one + other
            self.look(run)
            self.check(run.result() == one, "the value of a tree")
            return

        def total(partition: Any) -> Any:
            count = len(partition)
            half = count // 2
            if not half:
                return int(partition["n"].sum())
            if count == n:
                return split([partition.take_rows(0, half), partition.take_rows(half, count)], combine=sum)
            return split([partition.iloc[:half], partition.iloc[half:]], combine=sum)

        given = {"source": pd.DataFrame({"n": range(n)}), "operation": total}
        run = client.submit({"type": "recursive", "input": given, "options": {"mode": "python"}})
        self.look(run)
        self.check(run.result() == sum(range(n)), "the value of a tree of rows")

    def rows(self, client: RLMClient) -> None:
        """Chunks of a table, some of which lack memory or crash at first: the answer is whole."""
        count = self.chance.randrange(1, 5_000)
        data = pd.DataFrame({"n": range(count), "text": [str(n) for n in range(count)]})
        size = self.chance.randrange(1, 2_000) + 20
        crashes = not self.threads and self.chance.random() < 0.7

        def operation(partition: Any) -> Any:
            from rlm_hypervisor import current_task

            if len(partition) > 500:
                harm("lack")
            if crashes and current_task().attempt == 1 and current_task().item % 3 == 0:
                harm("kill")
            return partition[partition["n"] % 3 > 0].assign(double=partition["n"] * 2)

        given = {"source": data, "operation": operation, "chunkSize": size}
        options = {"mode": "python", "retries": 1, "backoffMs": 1}
        run = client.submit({"type": "parallel", "input": given, "options": options})
        self.look(run)
        right = data[data["n"] % 3 > 0].assign(double=data["n"] * 2)
        found = run.result().to_pandas()
        self.check(found.reset_index(drop=True).equals(right.reset_index(drop=True)), "rows of chunks")
        if crashes:
            self.kills["kill"] += 1

    def orphans(self, _: RLMClient) -> None:
        """A client's whole process is killed: nothing of it lives on."""
        left, ended = orphaned(self.chance.uniform(0.0, 0.6))
        self.check(not left, f"{left} live on after their supervisor")
        self.kills["with their supervisor"] += ended

    def look(self, run: Any) -> None:
        """Waits for a run, whose books add up all the while and at the end."""
        began = time.monotonic()
        while not run.wait(0.005):
            books(run)
            self.check(time.monotonic() - began < 2 * PATIENCE, f"a run without end: {run!r} {books(run)}")
        counted = books(run)
        self.check(counted["pending"] == 0, f"pending at the end: {counted}")
        self.items_ended += counted["accepted"]

    def check(self, right: bool, what: str) -> None:
        if not right:
            raise SystemExit(f"WRONG: {what}, after {self}")

    def __str__(self) -> str:
        return (
            f"{self.found.total()} runs {dict(self.found)}, {self.items_ended} items, "
            f"{self.kills.total()} kills {dict(self.kills.most_common())}"
        )

    def kinds(self) -> list[Callable[[RLMClient], None]]:
        """What is run, the more often the more it kills."""
        both = [self.items] * 6 + [self.cancelled] * 2 + [self.shared] * 2 + [self.tree, self.rows]
        every = both if self.threads else [*both, *[self.stormy] * 5, *[self.idle] * 2, self.orphans]
        return [kind for kind in every if not self.only or kind.__name__ in self.only]

    def client(
        self, kinds: Sequence[Callable[[RLMClient], None]], workers: int, is_over: Callable[[], bool]
    ) -> None:
        """The life of a client that runs these until all is over, and a look at what it leaves."""
        self.workers = workers
        kind_of_worker = "threads" if self.threads else "processes"
        with RLMClient(threads=1, workers=workers, worker_kind=kind_of_worker) as client:
            for kind in kinds:
                kind(client)
                self.found[kind.__name__] += 1
                if is_over():
                    break
        self._leaked.append(random.randbytes(self.leak))
        self.machine.look()

    def run(self, seconds: float, kills: int | None = None, clients: int | None = None) -> None:
        """Everything, for so long, until so many workers were ended, or with so many clients of one run each.

        Before that each kind is run twice: what is needed once is no growth.
        """
        kinds = self.kinds()
        self.check(bool(kinds), f"no kind of run is called {' or '.join(self.only)}")
        for _ in range(2):
            self.client(list(dict.fromkeys(kinds)), 4, lambda: False)
        self.machine.warmed()
        began = time.monotonic()
        told = made = 0

        def is_over() -> bool:
            if clients:
                return made >= clients
            return self.kills.total() >= kills if kills else time.monotonic() > began + seconds

        while not is_over():
            runs = 1 if clients else self.chance.randrange(1, 12)
            self.client(self.chance.choices(kinds, k=runs), self.chance.randrange(1, 5), is_over)
            made += 1
            if self.kills.total() >= told + 500:
                told = self.kills.total()
                print(
                    f"{time.monotonic() - began:.0f} s: {self.kills.total()} kills, {self.machine}",
                    flush=True,
                )
        self.check(threading.active_count() < 8, f"threads: {threading.enumerate()}")
        self.check(self.machine.is_flat(), f"memory grows: {self.machine}")


def _operation(plan: dict[int, str], pause: float = 0.0) -> Callable[[int], Any]:
    def operation(item: int) -> Any:
        found = harm(plan[item]) if item in plan else None
        if pause:
            time.sleep(pause)
        return (item * 2, found) if found is not None else item * 2

    return operation


def _plain(result: Any) -> Any:
    """A result without what was to make it large."""
    return result[0] if isinstance(result, tuple) else result


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Runs under random faults.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--kills", type=int, default=None, help="until so many workers were ended, however long it takes"
    )
    parser.add_argument(
        "--clients", type=int, default=None, help="so many clients, each of which has one run"
    )
    parser.add_argument("--only", nargs="+", default=[], help="names of the kinds of runs")
    parser.add_argument(
        "--leak", type=float, default=0, help="MiB that are kept after every client, to be found"
    )
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", choices=["processes", "threads"], default="processes")
    options = parser.parse_args(arguments)
    seed = random.randrange(1 << 30) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    soak = Soak(seed, options.workers == "threads", options.only, int(options.leak * (1 << 20)))
    soak.run(options.minutes * 60, options.kills, options.clients)
    print(f"nothing wrong after {soak}; {soak.machine}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
