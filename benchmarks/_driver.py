"""Runs the engines in their processes: checks every answer, then lets them take turns."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import data
import pyarrow as pa
from _check import difference
from _job import Job
from _spec import VARIANTS, Dataset, Spec
from engines import LIMITS

HERE = Path(__file__).resolve().parent
START_SECONDS = 120.0
CLOSE_SECONDS = 15.0
MIN_RUNS = 3


class EngineFailed(Exception):
    """The engine's process answered with an error, died, or did not answer in time."""


class EngineUnavailable(EngineFailed):
    """The engine is not installed."""


@dataclass(frozen=True)
class Settings:
    """How to measure."""

    engines: Sequence[str]
    threads: int = 2
    runs: int = 5
    timeout: float = 900.0
    """Seconds that one request may take."""
    patience: float = 120.0
    """An engine makes no more runs of a case after MIN_RUNS and this many seconds of them."""
    reuse: bool = False
    """Whether processes outlive a data set: quicker, but later ones find used heaps."""


@dataclass(frozen=True)
class Case:
    """One row of a table."""

    dataset: Dataset
    variant: str
    calls: int = 1


@dataclass
class Outcome:
    """What came of one case: seconds of every timed execution, or why there are none."""

    case: Case
    seconds: dict[str, list[float]] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def fail(self, engine: str, reason: str) -> None:
        self.failed[engine] = reason
        self.seconds.pop(engine, None)


@dataclass
class Memory:
    """Peak resident bytes of one execution in a fresh process, and what was resident before it."""

    baseline: int
    peak: int
    exact: bool
    """False where the kernel's mark could not be reset: then the peak includes the start."""


@dataclass
class MemoryOutcome:
    """Memory of every engine on one data set, or why it is not known."""

    dataset: Dataset
    engines: dict[str, Memory] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def note(text: str) -> None:
    """Progress, for the person who waits."""
    print(text, file=sys.stderr, flush=True)


class Child:
    """The process of one engine, started at once; `hello` waits until it is up."""

    def __init__(self, engine: str, settings: Settings, scratch: Path) -> None:
        self.engine = engine
        self.timeout = settings.timeout
        self.info: dict[str, Any] = {}
        self.gone: EngineFailed | None = None
        """Why the process ended, once it has."""
        self._scratch = scratch
        self._log = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed with the child
            dir=scratch, prefix=f"{engine}-", suffix=".log"
        )
        threads = str(settings.threads)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(part for part in (str(HERE), os.environ.get("PYTHONPATH")) if part),
            "POLARS_MAX_THREADS": threads,
            "TOKIO_WORKER_THREADS": threads,
            "RAYON_NUM_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "NUMEXPR_MAX_THREADS": threads,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engines._host", engine, threads],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            cwd=scratch,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._replies: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._replies.put(line)
        self._replies.put(None)

    def hello(self) -> dict[str, Any]:
        """Waits until the engine is set up: its versions, and whether it has answers to compare."""
        if not self.info:
            try:
                self.info = self._reply(START_SECONDS)
            except EngineFailed as error:
                # A process that could not start the engine ends; this is why.
                self.gone = error
                raise
        return self.info

    def call(self, name: str, spec: Spec | Job, **arguments: object) -> dict[str, Any]:
        self.hello()
        assert self._process.stdin is not None
        message = json.dumps({"call": name, "spec": spec.to_json(), **arguments})
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(message + "\n")
            self._process.stdin.flush()
        return self._reply(self.timeout)

    def _reply(self, timeout: float) -> dict[str, Any]:
        if self.gone is not None:
            raise self.gone
        try:
            line = self._replies.get(timeout=timeout)
        except queue.Empty:
            self.kill()
            self.gone = EngineFailed(f"no answer within {timeout:.0f} s")
            raise self.gone from None
        if line is None:
            self.gone = EngineFailed(self._obituary())
            raise self.gone
        reply: dict[str, Any] = json.loads(line)
        if "unavailable" in reply:
            self.gone = EngineUnavailable(reply["unavailable"])
            raise self.gone
        if "error" in reply:
            raise EngineFailed(reply["error"])
        return reply

    def _obituary(self) -> str:
        # The pipe has closed, so the end is near; an end of its own says more than ours would.
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        code = self._end()
        how = f"killed by signal {-code}" if code < 0 else f"exited with {code}"
        log = Path(self._log.name).read_text(errors="replace").strip().splitlines()
        return f"{how}{': ' + log[-1][:200] if log else ''}"

    def kill(self) -> None:
        """The process and what it started: Spark's JVM is one of its children."""
        self._end()

    def _end(self) -> int:
        # While the process is not waited for, its group's number cannot belong to anyone else.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def close(self) -> None:
        """Lets the engine say goodbye, for a while."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if self._process.returncode is None:
            # The replies end when the process does.
            with contextlib.suppress(queue.Empty):
                while self._replies.get(timeout=CLOSE_SECONDS) is not None:
                    pass
        self.kill()
        self._log.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.kill()
            self._log.close()


class Bench:
    """Measures cases. `versions` fills as engines start."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.versions: dict[str, str] = {}
        self._scratch = tempfile.TemporaryDirectory(prefix="rlm-bench-")
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._dismiss(wait=False)
        self._scratch.cleanup()

    def times(self, dataset: Dataset, cases: Iterable[Case]) -> Iterator[Outcome]:
        """Measures cases over one data set."""
        directory = data.ensure(dataset)
        for case in cases:
            self._staff()
            yield self._measure(case, directory)
        if not self.settings.reuse:
            self._dismiss()

    def _staff(self) -> None:
        """A living process for every engine; what is not installed is not tried again."""
        for name in self.settings.engines:
            child = self._children.get(name)
            if child is None or (child.gone and not isinstance(child.gone, EngineUnavailable)):
                if child is not None:
                    child.close()
                self._children[name] = Child(name, self.settings, Path(self._scratch.name))

    def _dismiss(self, wait: bool = True) -> None:
        while self._children:
            _, child = self._children.popitem()
            if not wait:
                child.kill()
            child.close()

    def _measure(self, case: Case, directory: Path) -> Outcome:
        children = self._children
        spec = Spec(str(directory), case.variant, self.settings.threads, case.calls)
        outcome = Outcome(case)
        note(f"{case.dataset.name} {case.variant}: checking answers")
        reference = data.reference(case.dataset, VARIANTS[case.variant])
        for name, child in children.items():
            with self._record(outcome, name):
                self.versions.update(child.hello()["versions"])
                child.call("prepare", spec)
                if child.info["answers"]:
                    self._check(child, spec, reference)
                else:
                    child.call("run", spec)
                outcome.seconds[name] = []

        for number in range(self.settings.runs):
            note(f"{case.dataset.name} {case.variant}: round {number + 1} of {self.settings.runs}")
            for name in list(outcome.seconds):
                taken = outcome.seconds[name]
                if number >= MIN_RUNS and sum(taken) > self.settings.patience:
                    continue
                data.warm(directory)
                with self._record(outcome, name):
                    reply = children[name].call("run", spec)
                    _same_groups(reply["groups"], reference)
                    taken.extend(reply["seconds"])
        return outcome

    def memory(self, dataset: Dataset) -> MemoryOutcome:
        """Peak memory of the seed job, every engine alone in a fresh process."""
        directory = data.ensure(dataset)
        spec = Spec(str(directory), "seed", self.settings.threads)
        reference = data.reference(dataset, VARIANTS["seed"])
        self._dismiss()
        outcome = MemoryOutcome(dataset)
        for name in self.settings.engines:
            if name in LIMITS:
                continue
            note(f"{dataset.name}: memory of {name}")
            data.warm(directory)
            with (
                self._record(outcome, name),
                Child(name, self.settings, Path(self._scratch.name)) as child,
            ):
                self.versions.update(child.hello()["versions"])
                child.call("prepare", spec)
                reply = child.call("memory", spec)
                # The measurement comes first, as a check before it would warm the engine up.
                _same_groups(reply["groups"], reference)
                self._check(child, spec, reference)
                outcome.engines[name] = Memory(reply["baseline"], reply["peak"], reply["exact"])
        return outcome

    def _check(self, child: Child, spec: Spec, reference: pa.Table) -> None:
        path = Path(self._scratch.name) / f"{child.engine}.arrow"
        try:
            child.call("answer", spec, path=str(path))
            with pa.memory_map(str(path)) as source:
                wrong = difference(pa.ipc.open_file(source).read_all(), reference)
        finally:
            path.unlink(missing_ok=True)
        if wrong is not None:
            raise EngineFailed(f"WRONG ANSWER: {wrong}")

    @contextlib.contextmanager
    def _record(self, outcome: Outcome | MemoryOutcome, engine: str) -> Iterator[None]:
        try:
            yield
        except EngineUnavailable as error:
            outcome.unavailable[engine] = str(error)
        except EngineFailed as error:
            note(f"  {engine}: {error}")
            if isinstance(outcome, Outcome):
                outcome.fail(engine, str(error))
            else:
                outcome.failed[engine] = str(error)


def _same_groups(groups: int | None, reference: pa.Table) -> None:
    if groups is not None and groups != reference.num_rows:
        raise EngineFailed(
            f"WRONG ANSWER: {groups:,} groups instead of {reference.num_rows:,} in a timed run"
        )
