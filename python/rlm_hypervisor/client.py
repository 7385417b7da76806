"""RLMClient: takes a task, traces its operation, and hands it to the engine."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from rlm_hypervisor import _core
from rlm_hypervisor._checked import Checked
from rlm_hypervisor._document import plain
from rlm_hypervisor.errors import (
    InvalidTaskError,
    NotDecomposableError,
    OperationNotFoundError,
)
from rlm_hypervisor.objects import Objects
from rlm_hypervisor.opening import Sources, storage_options_of
from rlm_hypervisor.operations import EVERYWHERE, Operations
from rlm_hypervisor.run import ConstantRun, Run
from rlm_hypervisor.secrets import AnyProvider, Secrets
from rlm_hypervisor.secrets.keeping import keeper
from rlm_hypervisor.submitting import Submitting, handle_of

if TYPE_CHECKING:
    from types import TracebackType

    from rlm_hypervisor.task import ParallelTask, TaskDocument

    AnyTask: TypeAlias = TaskDocument | ParallelTask | Mapping[str, Any]

_F = TypeVar("_F", bound=Callable[..., Any])

__all__ = ["RLMClient"]


WAITS_MS = 10
"""How long the thread of `execute` looks after a call itself, before it waits in a way that Ctrl-C ends."""

_OPEN: weakref.WeakSet[RLMClient] = weakref.WeakSet()
"""Clients to be closed while the interpreter is still whole: their threads must not outlive it."""


@atexit.register
def _close_all() -> None:
    for client in list(_OPEN):
        client.close()
    # One that is made by what else is called at exit has to see to it by itself.
    RLMClient._late = True
    _core.leave()


class RLMClient(Submitting, Sources):
    """Executes tasks on this machine.

    A client owns threads, a memory limit and connections to object stores. It may be shared between threads.
    It is a context manager; without `with`, it ends with the process or when nothing refers to it any more
    (a `Run` does, until it was asked for its answer).
    In a forked child every method refuses: start processes with "spawn", or make a new client there if no run was at work
    when the process forked. A process that forks while threads of it are busy leaves their locks as they were.

    Args:
        threads: how many threads compute; default all that the process may use.
        memory_limit: bytes, or text such as `"2GiB"`; default a share of what the container allows.
        storage_options: credentials, region, endpoint of object stores, under the names of the usual
            environment variables in lower case (`aws_access_key_id`, `aws_endpoint`, ...); default the
            environment's. A value may be `secret(name)`, or `{"secret": name}`: then it is asked for when it is
            needed, and a new value is used from the next request on.
        secrets: where secrets come from, in this order: providers of `rlm_hypervisor.secrets`, dicts, or objects with
            `get(name)`; default `[Environment(), Files()]`: variables `RLM_SECRET_<NAME>` and files in `/run/secrets`.
        spill_dir: where operators that exceed the memory limit put data; default a temporary folder.
        progress: True shows a progress bar for runs longer than a second, False never does; "auto", the
            default, does in a terminal and in a notebook.
        settings: further settings, as listed in the documentation.

    A setting that is not given is taken from the environment (`RLM_THREADS`, `RLM_MEMORY_LIMIT`, ...).

    Raises:
        InvalidTaskError: a setting is unknown, or its value is wrong.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"category": ["a", "b", "a"], "value": [1, 2, 3]})
    >>> def process_partition(partition):
    ...     return partition.groupby("category")["value"].sum()
    >>> with RLMClient(threads=2) as client:
    ...     result = client.execute({
    ...         "type": "parallel",
    ...         "description": "Aggregate by category",
    ...         "input": {"source": data, "operation": process_partition, "chunkSize": 10000},
    ...     })
    >>> print(result.to_pandas())
    category
    a    4
    b    2
    Name: value, dtype: int64
    """

    _late = False

    def __init__(
        self,
        *,
        threads: int | None = None,
        memory_limit: int | str | None = None,
        storage_options: Mapping[str, object] | None = None,
        secrets: Iterable[AnyProvider] | None = None,
        spill_dir: str | os.PathLike[str] | None = None,
        progress: bool | Literal["auto"] | None = None,
        **settings: Any,
    ) -> None:
        self._pid = os.getpid()
        self._closed = False
        self._operations = Operations()
        self._checked = Checked(EVERYWHERE, self._operations)
        given = {
            "threads": threads,
            "memory_limit": memory_limit,
            "spill_dir": spill_dir,
            "progress": progress,
            **settings,
        }
        paths = {name: os.fspath(value) for name, value in given.items() if isinstance(value, os.PathLike)}
        given |= paths
        resolved = _core.resolve({name: value for name, value in given.items() if value is not None})
        held = keeper(secrets, resolved["secrets_ttl"])
        self._engine = _core.Engine(resolved, storage_options_of(storage_options), held)
        self.secrets = Secrets(held, self._check)
        """The secrets of this client: `get`, `set`, `names`, `refresh`."""
        self.memory = Objects(self._engine.objects(), self._check)
        """The objects of `memory://`, a store within this client: a mapping of keys to bytes."""
        self._progress = resolved.get("progress", "auto")
        _OPEN.add(self)

    # Tasks.
    def execute(self, task: AnyTask) -> Any:
        """Executes a task and returns its answer: what the function would return on the whole input.

        Returns a Python value for a scalar, a `Result` for a table or series, and what was `Written` for a task
        with an `output`.

        Raises:
            RLMError: one of its classes; each says in `code` what went wrong. Ctrl-C cancels the run, waits
                until it has stopped, and raises KeyboardInterrupt.
        """
        return self._submit(task, WAITS_MS)._execute(self._progress)

    def submit(self, task: AnyTask) -> Run:
        """Starts a task and returns at once with its `Run`.

        The document is checked, the source's footers are read and the operation is traced before this
        returns, so errors of those kinds are raised here.
        """
        return self._submit(task, 0)

    def _submit(self, task: AnyTask, waits_ms: int) -> Run:
        """Starts a task; whoever waits for it anyway may look after its call for `waits_ms`."""
        self._check()
        helper = None if isinstance(task, type) else getattr(task, "__task__", None)
        if helper is not None:
            task = helper()
        document, objects = plain(task)
        spec = self._checked.spec(document)
        sql = spec["operation"].get("sql")
        started_at = time.monotonic()
        timeout_ms = (spec.get("options") or {}).get("timeoutMs")
        if sql is None and "source" not in spec["input"]:
            return self._submit_calls(spec, task, objects, timeout_ms, waits_ms)
        operation = None if sql is not None else self._operation(spec["operation"], objects)
        if operation is None:
            name = "sql"
            plan: Any = self._query(sql, spec["input"], objects, timeout_ms)
        else:
            from rlm_hypervisor.looking import Looking

            name = getattr(operation, "__name__", type(operation).__name__)
            looking = Looking(
                self._engine, self._open(spec["input"], objects, timeout_ms, lazily=True), timeout_ms
            )
            mode = spec["options"]["mode"]
            mode = self._engine.settings()["mode"] if mode == "auto" else mode
            if spec["type"] in ("map_reduce", "parallel_inference", "recursive") or spec["combine"] != "auto":
                # A plan has no results of chunks that could be reduced, or put together in another way.
                if mode == "native":
                    raise InvalidTaskError(
                        'the task is to run natively (`mode: "native"`), and results of chunks (`combine`, map_reduce, recursive, '
                        'parallel_inference) are only there in workers. Leave `mode` out, or say "python"',
                        details={"path": "options.mode"},
                    )
                mode = "python"
            if mode == "python":
                return self._submit_rows(
                    spec, looking.whole(), operation, objects, timeout_ms, started_at, None
                )
            try:
                plan = looking.plan(operation)
            except NotDecomposableError as error:
                if mode == "native":
                    raise
                return self._submit_rows(
                    spec, looking.whole(), operation, objects, timeout_ms, started_at, error
                )
        if spec.get("output") is not None and not isinstance(plan, _core.Frame):
            raise InvalidTaskError(
                "the operation returned a plain value, and `output` is for tables. Leave `output` out, or return a table",
                details={"path": "output"},
            )
        options = _options(spec, time.monotonic() - started_at)
        started = (
            self._engine.submit(plan, options) if isinstance(plan, _core.Frame) else ConstantRun(plan.value)
        )
        given = spec.get("options") or {}
        return Run(
            started,
            name,
            description=spec.get("description"),
            tags=given.get("tags"),
            progress=given.get("progress"),
            client=self,
        )

    def warm(
        self,
        workers: int | None = None,
        *,
        setup: Callable[[], Any] | None = None,
        timeout: float = 60.0,
    ) -> int:
        """Starts workers before they are needed; returns how many live.

        They stay until the client is closed, and one that ends is replaced. Worker processes import at once what this
        process has imported of numpy, pandas, pyarrow and polars, so that the first call does not have to.

        Args:
            workers: how many; default the setting `workers`, which is also the most there are.
            setup: a function without arguments that each worker calls before its first call: for imports, connections,
                models. Workers that start later call it too, and those that have called another one, or none, are
                replaced, after their call if they have one. What it returns is `current_task().setup` in operations.
                Default: what was given the last time.
            timeout: seconds to wait until they are ready. A worker whose `setup` takes longer than this, and than a
                minute, is given up.

        Raises:
            OperationFailedError: `setup` raised, with its exception as the cause. Workers are as before.
            WorkerCrashedError: a worker cannot start; the message has what it wrote last.
            InvalidTaskError: `workers` or `timeout` is no such number; `setup` is not callable, needs arguments, or cannot
                be sent to a worker.

        >>> from rlm_hypervisor import RLMClient, current_task
        >>> def model():
        ...     return {"a": 1, "b": 2}
        >>> def answer(item):
        ...     return current_task().setup[item]
        >>> with RLMClient(workers=1) as client:
        ...     client.warm(setup=model)
        ...     client.execute({"type": "parallel", "input": {"items": ["b", "a"], "operation": answer}})
        1
        [2, 1]
        """
        from rlm_hypervisor import warming
        from rlm_hypervisor.packing import launch

        self._check()
        most = int(self._engine.settings()["workers"])
        for name, value, kinds in (("workers", workers, int), ("timeout", timeout, (int, float))):
            if value is None or (isinstance(value, kinds) and not isinstance(value, bool) and value >= 0):
                continue
            raise InvalidTaskError(
                f"`{name}` of `client.warm()` is {value!r}; it has to be a number from 0 on",
                details={"path": name},
            )
        packed = None if setup is None else warming.packed(setup)
        warming.rehearse()
        count = most if workers is None else min(workers, most)
        return self._engine.warm(count, timeout, launch(), warming.imported(), packed)

    async def aexecute(self, task: AnyTask) -> Any:
        """`execute` for a running event loop, such as a notebook's; cancelling it cancels the run."""
        return await (await self.asubmit(task))

    async def asubmit(self, task: AnyTask) -> Run:
        """`submit` for a running event loop: files are opened and the operation is traced in a thread."""
        import asyncio

        self._check()
        starting = asyncio.ensure_future(asyncio.to_thread(self.submit, task))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(_cancel_started)
            raise

    def sql(
        self,
        query: str,
        *,
        source: Any = None,
        tables: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Executes a query: the task whose operation is `{"sql": query, "tables": tables}`.

        Semantics are SQL's, not pandas': NULL and three-valued logic, integer division, NaN a value like
        others. Only ORDER BY gives the rows an order. Names are the same whatever their case.

        Args:
            query: one SELECT, WITH or VALUES; nothing that writes.
            source: what the query knows as the table `partition`.
            tables: further tables by name: each a source as `input.source` takes it, or a dict with `source` and, as
                `input` of a task has them, `format`, `readOptions`, `storageOptions`.
            **options: options of the task: `timeoutMs`, `parallelism`, `memoryLimit`, ...

        Raises:
            InvalidTaskError: the query is wrong, or no query; the message has the line and column.
            SchemaMismatchError: a column is not there, or is ambiguous.

        >>> import pandas as pd
        >>> from rlm_hypervisor import RLMClient
        >>> orders = pd.DataFrame({"region": [1, 2, 1], "amount": [10, 20, 5]})
        >>> regions = pd.DataFrame({"region": [1, 2], "name": ["north", "south"]})
        >>> query = "select name, sum(amount) total from orders join regions using (region) group by 1 order by 1"
        >>> print(RLMClient().sql(query, tables={"orders": orders, "regions": regions}).to_pandas())
            name  total
        0  north     15
        1  south     20
        """
        operation: dict[str, Any] = {"sql": query}
        if tables is not None:
            operation["tables"] = tables if isinstance(tables, dict) else dict(tables)
        document: dict[str, Any] = {"type": "parallel", "operation": operation, "options": options}
        if source is not None:
            document["input"] = {"source": source}
        elif not tables:
            document["input"] = {}
        return self.execute(document)

    def _query(
        self, sql: Mapping[str, Any], source: Mapping[str, Any], objects: list[Any], timeout_ms: int | None
    ) -> _core.Frame:
        """The symbolic answer of a query; its sources are opened one after the other."""
        opened = []
        if source.get("source") is not None:
            opened.append(("partition", self._open(source, objects, timeout_ms)))
        for table in sql["tables"]:
            place = f"operation.tables.{table['name']}"
            opened.append((table["name"], self._open({"source": table}, objects, timeout_ms, place=place)))
        return self._engine.query(sql["query"], opened)

    def _operation(self, found: Mapping[str, Any], objects: list[Any]) -> Callable[..., Any]:
        if "callable" in found:
            function: Callable[..., Any] = objects[handle_of(found["callable"])]
            return function
        name = found.get("named")
        registered = isinstance(name, str) and (self._operations.get(name) or EVERYWHERE.get(name))
        if not registered:
            raise OperationNotFoundError(
                f"this version runs Python functions and registered operations, not {found!r}"
            )
        return registered

    # Registered operations.
    @overload
    def operation(self, name: _F, /) -> _F: ...
    @overload
    def operation(
        self, name: str | None = None, *, description: str | None = None, version: str | int | None = None
    ) -> Callable[[_F], _F]: ...
    def operation(
        self, name: Any = None, *, description: str | None = None, version: str | int | None = None
    ) -> Any:
        """Registers a function for this client; a task then names it. See `rlm_hypervisor.operation`.

        >>> from rlm_hypervisor import RLMClient
        >>> client = RLMClient()
        >>> @client.operation
        ... def totals(p):
        ...     "Add up the values of each category"
        ...     return p.groupby("category")["value"].sum()
        >>> client.operations()["totals"]
        'Add up the values of each category'
        """
        self._check()
        return self._operations.decorator(name, description, version)

    def operations(self) -> dict[str, str]:
        """The operations that tasks of this client can name, and their descriptions; versions as `"name@2"`."""
        self._check()
        return {**EVERYWHERE.descriptions(), **self._operations.descriptions()}

    # Life.
    def close(self) -> None:
        """Cancels what runs and stops the threads; a second call does nothing."""
        if os.getpid() != self._pid or self._closed:
            return
        self._closed = True
        self._engine.close()
        if self._late:
            _core.leave()

    def __enter__(self) -> RLMClient:
        self._check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_engine", None) is not None and not self._closed:
            self.close()

    def __reduce__(self) -> Any:
        raise TypeError("an RLMClient cannot be pickled: make one in each process")

    def __repr__(self) -> str:
        if os.getpid() != self._pid:
            return "<RLMClient of the parent process>"
        if self._closed:
            return "<RLMClient, closed>"
        shown = ", ".join(f"{name}={value!r}" for name, value in self._engine.settings().items())
        return _core.redact(f"RLMClient({shown})")

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise InvalidTaskError(
                "this client was made before the process forked, and threads do not survive a fork. "
                'Start processes with "spawn", or make a new client in the child if no run was at work when it forked',
                details={"parent_pid": self._pid},
            )
        if self._closed:
            raise InvalidTaskError("this client is closed. Make a new one")


def _options(spec: Mapping[str, Any], spent: float) -> dict[str, Any]:
    """What the engine needs to know of the task; `spent` seconds of its time are over."""
    given = spec.get("options") or {}
    chunk = spec.get("chunkSize", "auto")
    timeout = given.get("timeoutMs")
    return {
        "chunk_size": chunk if isinstance(chunk, int) else None,
        "timeout_ms": None if timeout is None else max(int(timeout - spent * 1000), 0),
        "parallelism": given.get("parallelism"),
        "memory_limit": given.get("memoryLimit"),
        "priority": given.get("priority"),
        "output": spec.get("output"),
        **_kept(spec),
    }


def _kept(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The key of a task that writes, and what its document says; its plan and its sources are the core's to add."""
    key = (spec.get("options") or {}).get("idempotencyKey")
    if key is None or spec.get("output") is None:
        return {}
    from rlm_hypervisor.fingerprint import task_of

    return {"key": key, "task": task_of(spec, [], {}, None)["document"]}


def _cancel_started(starting: Any) -> None:
    """A run whose awaiter went away while it was being started."""
    if not starting.cancelled() and starting.exception() is None:
        starting.result().cancel()
