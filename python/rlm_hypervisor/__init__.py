"""RLM Hypervisor: runs Python functions over partitioned data, natively, in parallel, and right.

from rlm_hypervisor import RLMClient

client = RLMClient()
result = client.execute({
    "type": "parallel",
    "input": {"source": "s3://bucket/data", "operation": lambda p: p.groupby("category")["value"].sum()},
})
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rlm_hypervisor._core import Secret as Secret, __version__ as __version__
    from rlm_hypervisor.client import RLMClient as RLMClient
    from rlm_hypervisor.combining import Aggregate as Aggregate, associative as associative
    from rlm_hypervisor.context import (
        CurrentTask as CurrentTask,
        SoftTimeout as SoftTimeout,
        current_task as current_task,
    )
    from rlm_hypervisor.errors import (
        CombineRequiredError as CombineRequiredError,
        DepthExceededError as DepthExceededError,
        InternalError as InternalError,
        InvalidTaskError as InvalidTaskError,
        MaintenanceError as MaintenanceError,
        NotDecomposableError as NotDecomposableError,
        OperationFailedError as OperationFailedError,
        OperationNotFoundError as OperationNotFoundError,
        OutOfMemoryError as OutOfMemoryError,
        OutputFailedError as OutputFailedError,
        PythonModeWarning as PythonModeWarning,
        QuotaExceededError as QuotaExceededError,
        RateLimitedError as RateLimitedError,
        RLMError as RLMError,
        SchemaMismatchError as SchemaMismatchError,
        SourceNotFoundError as SourceNotFoundError,
        SourceUnreadableError as SourceUnreadableError,
        TaskCancelledError as TaskCancelledError,
        TaskTimeoutError as TaskTimeoutError,
        WorkerCrashedError as WorkerCrashedError,
    )
    from rlm_hypervisor.letters import DeadLetter as DeadLetter, DeadLetters as DeadLetters
    from rlm_hypervisor.operations import operation as operation
    from rlm_hypervisor.partition import Column as Column, Partition as Partition, Scalar as Scalar
    from rlm_hypervisor.progress import Progress as Progress
    from rlm_hypervisor.result import Result as Result
    from rlm_hypervisor.run import Explanation as Explanation, Run as Run
    from rlm_hypervisor.schema import Schema as Schema
    from rlm_hypervisor.secrets import secret as secret
    from rlm_hypervisor.splitting import split as split
    from rlm_hypervisor.table import Table as Table
    from rlm_hypervisor.task import ParallelTask as ParallelTask, Task as Task
    from rlm_hypervisor.written import Written as Written

_HOMES = {
    "__version__": "_core",
    "RLMClient": "client",
    "operation": "operations",
    "Aggregate": "combining",
    "associative": "combining",
    "Column": "partition",
    "Partition": "partition",
    "Scalar": "partition",
    "Progress": "progress",
    "Result": "result",
    "Explanation": "run",
    "Run": "run",
    "Schema": "schema",
    "Table": "table",
    "Secret": "secrets",
    "secret": "secrets",
    "split": "splitting",
    "CurrentTask": "context",
    "SoftTimeout": "context",
    "current_task": "context",
    "DeadLetter": "letters",
    "DeadLetters": "letters",
    "ParallelTask": "task",
    "Task": "task",
    "Written": "written",
    **dict.fromkeys(
        (
            "CombineRequiredError",
            "DepthExceededError",
            "InternalError",
            "InvalidTaskError",
            "MaintenanceError",
            "NotDecomposableError",
            "OperationFailedError",
            "OperationNotFoundError",
            "OutOfMemoryError",
            "OutputFailedError",
            "PythonModeWarning",
            "QuotaExceededError",
            "RLMError",
            "RateLimitedError",
            "SchemaMismatchError",
            "SourceNotFoundError",
            "SourceUnreadableError",
            "TaskCancelledError",
            "TaskTimeoutError",
            "WorkerCrashedError",
        ),
        "errors",
    ),
}
"""Public name -> the submodule it lives in, imported when it is first used."""

__all__ = [
    "Aggregate",
    "Column",
    "CombineRequiredError",
    "CurrentTask",
    "DeadLetter",
    "DeadLetters",
    "DepthExceededError",
    "Explanation",
    "InternalError",
    "InvalidTaskError",
    "MaintenanceError",
    "NotDecomposableError",
    "OperationFailedError",
    "OperationNotFoundError",
    "OutOfMemoryError",
    "OutputFailedError",
    "ParallelTask",
    "Partition",
    "Progress",
    "PythonModeWarning",
    "QuotaExceededError",
    "RLMClient",
    "RLMError",
    "RateLimitedError",
    "Result",
    "Run",
    "Scalar",
    "Schema",
    "SchemaMismatchError",
    "Secret",
    "SoftTimeout",
    "SourceNotFoundError",
    "SourceUnreadableError",
    "Table",
    "Task",
    "TaskCancelledError",
    "TaskTimeoutError",
    "WorkerCrashedError",
    "Written",
    "__version__",
    "associative",
    "current_task",
    "operation",
    "secret",
    "split",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
