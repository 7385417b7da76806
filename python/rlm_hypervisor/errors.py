"""The errors: one class per code, each also the built-in exception that it resembles.

The table is the same as the core's (`src/error.rs`); a test compares the two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

from rlm_hypervisor import _core

__all__ = [
    "CLASSES",
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
    "from_core",
]


class PythonModeWarning(UserWarning):
    """An operation on a source is not native, and is called on each chunk by itself instead."""


class RLMError(Exception):
    """Whatever goes wrong with a task, from reading its document to handing over its answer.

    Attributes:
        code: what kind of error it is, from a closed list (`"TIMEOUT"`, `"SOURCE_NOT_FOUND"`, ...).
        message: what happened to what, and what to do about it.
        retryable: whether the same call may succeed when it is made again unchanged.
        task_id: the run that failed; None where none was started.
        details: the same facts for programs (`file`, `line`, `column`, `path`, ...).
        __cause__: the exception that the user's own code raised, if that was the cause.

    >>> from rlm_hypervisor import RLMClient, RLMError
    >>> try:
    ...     RLMClient().execute({"type": "parallel", "input": {"source": "no.parquet", "operation": len}})
    ... except RLMError as error:
    ...     print(error.code, error.retryable)
    SOURCE_NOT_FOUND False
    """

    code: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    task_id: str | None

    def __init__(
        self, message: str = "", *, task_id: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        self.message = message
        super().__init__(self.message)
        self.task_id = task_id
        self.details = details or {}

    @property
    def message(self) -> str:
        """What happened to what, and what to do about it. Values of secrets are `***` in it."""
        return self._message

    @message.setter
    def message(self, text: str) -> None:
        self._message = _core.redact(text)

    @property
    def details(self) -> dict[str, Any]:
        """The same facts for programs, without values of secrets."""
        return self._details

    @details.setter
    def details(self, facts: dict[str, Any]) -> None:
        self._details: dict[str, Any] = cleaned(dict(facts))

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.task_id, self.details, self.__cause__)


def _rebuild(
    cls: type[RLMError],
    message: str,
    task_id: str | None,
    details: dict[str, Any],
    cause: BaseException | None,
) -> RLMError:
    error = cls(message, task_id=task_id, details=details)
    error.__cause__ = cause
    return error


class InvalidTaskError(RLMError, ValueError):
    """The task document is wrong, or asks for something this version cannot do; nothing ran."""

    code = "INVALID_TASK"


class OperationNotFoundError(RLMError, LookupError):
    """The task names no operation, or one that is not registered."""

    code = "OPERATION_NOT_FOUND"


class OperationFailedError(RLMError, RuntimeError):
    """The user's operation raised, or met a value that it cannot be computed for.

    What it raised is `__cause__`; `details` has the `file` and the `line`.
    """

    code = "OPERATION_FAILED"


class NotDecomposableError(RLMError, TypeError):
    """The operation does something that cannot be run natively over chunks and still be right.

    `details` has `file`, `line`, `function`, `source` (the text of the line) and `call`.
    """

    code = "NOT_DECOMPOSABLE"

    def __init__(
        self, message: str = "", *, task_id: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, task_id=task_id, details=details)
        note = noted()
        if note is not None:
            note(self)


_tracing = threading.local()


def noted() -> Callable[[NotDecomposableError], None] | None:
    """Who is told of refusals in this thread while an operation is traced."""
    found: Callable[[NotDecomposableError], None] | None = getattr(_tracing, "note", None)
    return found


def note_with(note: Callable[[NotDecomposableError], None] | None) -> None:
    """Sets who is told."""
    _tracing.note = note


class CombineRequiredError(RLMError, ValueError):
    """The chunks' results have a shape that only the user can say how to combine."""

    code = "COMBINE_REQUIRED"


class SourceNotFoundError(RLMError, FileNotFoundError):
    """The source names nothing that exists."""

    code = "SOURCE_NOT_FOUND"


class SourceUnreadableError(RLMError, OSError):
    """A file of the source exists and could not be read."""

    code = "SOURCE_UNREADABLE"


class SchemaMismatchError(RLMError, TypeError):
    """Files of one source disagree about a column, or a column that is used is not there."""

    code = "SCHEMA_MISMATCH"


class OutputFailedError(RLMError, OSError):
    """The answer could not be written where it was asked to be."""

    code = "OUTPUT_FAILED"


class TaskTimeoutError(RLMError, TimeoutError):
    """The deadline passed before the task was done; it was stopped.

    `Run.result(timeout=...)` raises it too when its own patience ends; that run goes on.
    """

    code = "TIMEOUT"
    retryable = True


class TaskCancelledError(RLMError, RuntimeError):
    """The run was cancelled."""

    code = "CANCELLED"


class RateLimitedError(RLMError, RuntimeError):
    """Too many calls in too short a time."""

    code = "RATE_LIMITED"
    retryable = True


class QuotaExceededError(RLMError, RuntimeError):
    """A quota is used up."""

    code = "QUOTA_EXCEEDED"


class OutOfMemoryError(RLMError, MemoryError):
    """The run needed more memory than its limit allows."""

    code = "OUT_OF_MEMORY"


class WorkerCrashedError(RLMError, RuntimeError):
    """A worker process died while it ran user code."""

    code = "WORKER_CRASHED"
    retryable = True


class DepthExceededError(RLMError, RecursionError):
    """A recursive task split deeper than its `maxDepth`."""

    code = "DEPTH_EXCEEDED"


class MaintenanceError(RLMError, RuntimeError):
    """The hypervisor is not taking tasks now."""

    code = "MAINTENANCE"
    retryable = True


class InternalError(RLMError, RuntimeError):
    """A defect of the product itself; please report it."""

    code = "INTERNAL"


CLASSES: dict[str, type[RLMError]] = {
    cls.code: cls
    for cls in (
        InvalidTaskError,
        OperationNotFoundError,
        OperationFailedError,
        NotDecomposableError,
        CombineRequiredError,
        SourceNotFoundError,
        SourceUnreadableError,
        SchemaMismatchError,
        OutputFailedError,
        TaskTimeoutError,
        TaskCancelledError,
        RateLimitedError,
        QuotaExceededError,
        OutOfMemoryError,
        WorkerCrashedError,
        DepthExceededError,
        MaintenanceError,
        InternalError,
    )
}
"""Every code and its class, in the order of the core's table."""


class MissingColumnError(SchemaMismatchError, KeyError):
    """A column that is used is not there: `SchemaMismatchError` that `except KeyError` catches too."""


def from_core(
    code: str, message: str, details: dict[str, Any] | None = None, cause: bytes | None = None
) -> RLMError:
    """The exception for an error of the core; a code that is not in the table is a defect.

    `cause` is the user's exception as a worker pickled it.
    """
    cls = CLASSES.get(code)
    if cls is None:
        return InternalError(f"{message} (unknown code {code})", details=details)
    error = cls(message, details=details)
    if cause is not None:
        error.__cause__ = _cause(cause, error.details.get("traceback"))
    return error


def _cause(pickled: bytes, traceback: Any) -> BaseException | None:
    """The user's exception; its traceback, which is another process's, is a note."""
    import pickle

    try:
        cause = pickle.loads(pickled)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None
    if not isinstance(cause, BaseException):
        return None
    cause = exposed(cause)
    if isinstance(traceback, str) and hasattr(cause, "add_note"):  # Python 3.11
        cause.add_note("in the worker:\n" + traceback.rstrip())
    return cause


def cleaned(value: Any) -> Any:
    """Plain data without values of secrets; another object whose text has one becomes that text."""
    if isinstance(value, str):
        return _core.redact(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if type(value) is dict:
        return {cleaned(key): cleaned(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(cleaned(one) for one in value)
    return _text_or_itself(value)


def _text_or_itself(value: Any) -> Any:
    try:
        text = f"{value!r} {value}"
    except Exception:
        return value
    return value if _core.redact(text) == text else _core.redact(repr(value))


_SLOTS = ("filename", "filename2", "strerror", "msg", "text", "reason", "name", "value", "code")
"""Where built-in exceptions keep what their text is made of, besides `args`."""


def exposed(error: BaseException, seen: set[int] | None = None) -> BaseException:
    """An exception of the user's code that is about to be seen, without values of secrets.

    It is changed where it stands, with those that it came from. One whose text has a secret all the same is replaced.
    """
    if not _core.redacts():
        return error
    seen = set() if seen is None else seen
    seen.add(id(error))
    for place in ("__cause__", "__context__"):
        other = getattr(error, place)
        if other is not None and id(other) not in seen:
            replaced = exposed(other, seen)
            for same in ("__cause__", "__context__"):
                if replaced is not other and getattr(error, same) is other:
                    setattr(error, same, replaced)
    for other in getattr(error, "exceptions", ()):
        if isinstance(other, BaseException) and id(other) not in seen:
            exposed(other, seen)
    if not _shows(error):
        return error
    try:
        error.args = cleaned(error.args)
        for name in _SLOTS:
            if isinstance(getattr(error, name, None), str):
                setattr(error, name, cleaned(getattr(error, name)))
        for name, value in list(vars(error).items()):
            error.__dict__[name] = cleaned(value)
    except Exception:
        return _stand_in(error)
    return _stand_in(error) if _shows(error) else error


def _shows(error: BaseException) -> bool:
    """Whether an exception's text, by itself, has a value of a secret."""
    import traceback

    try:
        lines = traceback.TracebackException(type(error), error, None).format(chain=False)
        text = f"{''.join(lines)} {error!r} {error} {error.args!r} {vars(error)!r}"
    except Exception:
        return False
    return _core.redact(text) != text


def _stand_in(error: BaseException) -> BaseException:
    """What is left of an exception that cannot be told without a secret."""
    try:
        text = _core.redact(f"{type(error).__name__}: {error}")
    except Exception:
        text = type(error).__name__
    return RuntimeError(text).with_traceback(error.__traceback__)
