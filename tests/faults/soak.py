"""One command: runs of all kinds under random faults for as long as is asked, with the laws checked after each.

python -m tests.faults.soak --minutes 30
python -m tests.faults.soak --minutes 0.1 --seed 7

It ends with status 1 and says what it found where an answer is wrong, books do not add up, or something stays behind.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd
import psutil
from rlm_hypervisor import RLMClient, RLMError, split

from tests.faults._workers import PATIENCE, alive, books, handles, task, until, workers

GROWTH = 64 << 20
"""Bytes that the process may hold more at the end than it did when it was warm."""


def harm(kind: str) -> None:
    """Does to its worker what is asked."""
    match kind:
        case "exit":
            os._exit(random.randrange(256))
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "abort":
            os.abort()
        case "hang":
            time.sleep(3600)
        case "raise":
            raise ArithmeticError("by chance")
        case "memory":
            raise MemoryError
        case "daemon":
            subprocess.Popen(["sleep", "3600"], start_new_session=True)
        case "child":
            if os.fork() == 0:
                time.sleep(3600)
        case "noise":
            print("x" * 100_000, file=random.choice([sys.stdout, sys.stderr]))
        case "close":
            os.closerange(3, 190)
        case "large":
            bytearray(1 << 22)


DEADLY = ("exit", "segfault", "kill", "abort", "hang")
HARMLESS = ("daemon", "child", "noise", "close", "large")


class Soak:
    """Runs one kind of task after the other on a client, and looks after all of it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.found: Counter[str] = Counter()
        self.kills = 0

    def plan(self, items: int, share: float, kinds: tuple[str, ...]) -> dict[int, str]:
        """Which items do harm, and which."""
        return {item: self.chance.choice(kinds) for item in range(items) if self.chance.random() < share}

    def items(self, client: RLMClient) -> None:
        """Items, some of which do harm each time: they and no others fail."""
        count = self.chance.randrange(1, 400)
        plan = self.plan(count, 0.03, (*DEADLY, *HARMLESS, "raise"))

        def operation(item: int) -> int:
            if item in plan:
                harm(plan[item])
            return item * 2

        options = {"onError": "skip", "chunkTimeoutMs": 700, "retries": self.chance.randrange(2)}
        run = client.submit(task(operation, range(count), **options))
        self.look(run)
        lost = {item for item, kind in plan.items() if kind in (*DEADLY, "raise")}
        self.check(set(run.failures()) == lost, f"failures {sorted(run.failures())}, expected {sorted(lost)}")
        self.check(
            run.result() == [item * 2 for item in range(count) if item not in lost], "results of items"
        )

    def stormy(self, client: RLMClient) -> None:
        """Workers are killed from outside while items run: with retries, those that fail were struck three times."""
        over = threading.Event()

        def strike() -> None:
            while not over.wait(self.chance.uniform(0.02, 0.3)):
                found = psutil.Process().children()
                if found:
                    try:
                        self.chance.choice(found).send_signal(signal.SIGKILL)
                        self.kills += 1
                    except psutil.NoSuchProcess:
                        continue

        thread = threading.Thread(target=strike)
        thread.start()
        try:
            options = {"onError": "skip", "retries": 50, "maxBackoffMs": 5}
            run = client.submit(task(lambda item: time.sleep(0.002) or item, range(300), **options))
            self.look(run)
        finally:
            over.set()
            thread.join()
        if run.state == "failed":
            # Not one of a dozen workers came to its first call.
            self.check(
                run.exception().code == "WORKER_CRASHED", f"a run in a storm ends with {run.exception()!r}"
            )
            return
        lost = run.failures()
        codes = {error.code for error in lost.values()}
        self.check(codes <= {"WORKER_CRASHED"}, f"failures with {codes}")
        self.check(run.result() == [item for item in range(300) if item not in lost], "results in a storm")

    def cancelled(self, client: RLMClient) -> None:
        """A run that is cancelled, or late, at a random moment."""
        late = self.chance.random() < 0.5
        options = {"timeoutMs": self.chance.randrange(5, 200)} if late else {}
        plan = self.plan(50, 0.2, ("hang", "daemon", "child", "noise"))
        run = client.submit(task(lambda item: harm(plan.get(item, "")), range(50), **options))
        if not late:
            time.sleep(self.chance.uniform(0, 0.2))
            run.cancel()
        self.look(run)
        try:
            run.result()
        except RLMError as error:
            self.check(error.code in ("CANCELLED", "TIMEOUT"), f"a stopped run says {error!r}")

    def tree(self, client: RLMClient) -> None:
        """A tree, over numbers or over rows, which comes to its value."""
        n = self.chance.randrange(2, 16)
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
        """Chunks of a table, some of which lack memory: they are halved, and the answer is whole."""
        count = self.chance.randrange(1, 5_000)
        data = pd.DataFrame({"n": range(count), "text": [str(n) for n in range(count)]})
        size = self.chance.randrange(1, 2_000) + 20

        def operation(partition: Any) -> Any:
            if len(partition) > 500:
                harm("memory")
            return partition[partition["n"] % 3 > 0].assign(double=partition["n"] * 2)

        given = {"source": data, "operation": operation, "chunkSize": size}
        run = client.submit({"type": "parallel", "input": given, "options": {"mode": "python"}})
        self.look(run)
        right = data[data["n"] % 3 > 0].assign(double=data["n"] * 2)
        found = run.result().to_pandas()
        self.check(found.reset_index(drop=True).equals(right.reset_index(drop=True)), "rows of chunks")

    def look(self, run: Any) -> None:
        """Waits for a run, whose books add up all the while and at the end."""
        began = time.monotonic()
        while not run.wait(0.005):
            books(run)
            self.check(time.monotonic() - began < 4 * PATIENCE, f"a run without end: {run!r}")
        counted = books(run)
        self.check(counted["pending"] == 0, f"pending at the end: {counted}")

    def check(self, right: bool, what: str) -> None:
        if not right:
            raise SystemExit(f"WRONG: {what}, after {dict(self.found)}, {self.kills} kills")

    def run(self, seconds: float) -> None:
        """Everything, for so long; then the machine is looked at."""
        kinds: list[Callable[[RLMClient], None]] = [
            self.items, self.stormy, self.cancelled, self.tree, self.rows
        ]  # fmt: skip
        others = {process.pid for process in workers()}
        memory = psutil.Process()
        until_then = time.monotonic() + seconds
        opened = held = 0
        rounds = 0
        while time.monotonic() < until_then:
            with RLMClient(threads=1, workers=self.chance.randrange(1, 4)) as client:
                client.warm()
                # A client is used for some runs, then the next one is made.
                for _ in range(self.chance.randrange(1, 12)):
                    kind = self.chance.choice(kinds)
                    kind(client)
                    self.found[kind.__name__] += 1
                    if time.monotonic() > until_then:
                        break
                started = [process.pid for process in workers() if process.pid not in others]
            until(lambda started=started: not any(map(alive, started)), "workers live on")  # type: ignore[misc]
            until(
                lambda: not any(pid not in others for pid in (one.pid for one in workers())),
                "children live on",
            )
            gc.collect()
            rounds += 1
            if rounds == 3:
                opened, held = handles(), memory.memory_info().rss
        if rounds > 3:
            self.check(handles() <= opened + 2, f"{handles()} handles are open, {opened} were")
            grown = memory.memory_info().rss - held
            self.check(grown < GROWTH, f"the process has grown by {grown >> 20} MiB")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Runs under random faults.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    seed = random.randrange(1 << 30) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    soak = Soak(seed)
    soak.run(options.minutes * 60)
    print(
        f"nothing wrong after {sum(soak.found.values())} runs {dict(soak.found)}, {soak.kills} kills from outside"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
