"""Calling the operation once on a symbolic partition, and saying where it stopped if it did."""

from __future__ import annotations

import copy
import datetime
import os
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from types import CodeType, TracebackType
from typing import Any, NamedTuple, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._handlers import by_handler
from rlm_hypervisor.errors import OperationFailedError, RLMError, SchemaMismatchError, exposed
from rlm_hypervisor.partition.arrays import Taken
from rlm_hypervisor.partition.column import Column, ColumnLoc
from rlm_hypervisor.partition.dtypes import DType, DTypes
from rlm_hypervisor.partition.dummies import Dummies
from rlm_hypervisor.partition.elementwise import Elementwise
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.groupby import GroupBy
from rlm_hypervisor.partition.labels import Labels
from rlm_hypervisor.partition.levels import RowIndex
from rlm_hypervisor.partition.loc import Loc
from rlm_hypervisor.partition.operators import Operators
from rlm_hypervisor.partition.pandas_functions import dispatched
from rlm_hypervisor.partition.periods import Periods
from rlm_hypervisor.partition.refusal import refusal
from rlm_hypervisor.partition.scalar import Scalar, Summary
from rlm_hypervisor.partition.split import Split
from rlm_hypervisor.partition.surface import UnknownAttribute
from rlm_hypervisor.partition.swallowed import Noted, noting
from rlm_hypervisor.partition.wide import Wide

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARIES = ("numpy", "pandas", "pyarrow", "polars")
_SYMBOLIC = (Elementwise, Operators, Summary, GroupBy, Wide, Dummies, Periods, Taken)
_KNOWN = (Labels, DTypes, DType, Loc, ColumnLoc, RowIndex)


_ADVICE = "Use the partition's own methods, or do it on the answer: `result.to_pandas()`"

_SYMBOLIC_TEXT = "not known while tracing"
"""What the `repr` of everything symbolic says."""


class Constant(NamedTuple):
    """An operation that returned a plain value: the answer, whatever the rows are."""

    value: Any


def trace(operation: Callable[..., Any], frame: _core.Frame) -> _core.Frame | Constant:
    """What the operation records when it is called once on the source's symbolic frame.

    Raises NotDecomposableError, SchemaMismatchError and OperationFailedError, each with the user's line.
    """
    with noting() as refusals:
        try:
            with dispatched():
                returned = operation(Partition(frame))
            plan = _plan(returned, operation)
            if not refusals:
                return plan
            failed, cause = _swallowed(refusals[0], operation), None
        except RLMError as error:
            _locate(error, operation)
            exposed(error)
            raise
        except Exception as error:
            if by_handler(error):
                raise
            failed = _swallowed(refusals[0], operation) if refusals else _translated(error, operation)
            cause = exposed(error)
    # Out here, so that what it came from is seen as `cause` alone.
    raise failed from cause


def _swallowed(noted: Noted, operation: Callable[..., Any]) -> RLMError:
    """The error of a function that caught a refusal, or called something that did."""
    error = copy.copy(noted.error)
    _locate(error.with_traceback(noted.traceback), operation)
    return error.with_traceback(None)


def _plan(returned: Any, operation: Callable[..., Any]) -> _core.Frame | Constant:
    """The core's form of what was returned."""
    name = _name(operation)
    if isinstance(returned, Split):
        returned = returned.whole()
    if isinstance(returned, Partition | Column | Scalar):
        return returned._frame
    if isinstance(returned, Summary | Wide | Dummies | Taken):
        return returned.core()
    if returned is None:
        _refuse(f"`{name}` returned None: did you forget `return`?", "Return what the answer is to be")
    if isinstance(returned, GroupBy):
        _refuse(f"`{name}` returned a group-by", "Aggregate it: `.sum()`, `.agg(...)`")
    if isinstance(returned, Periods):
        _refuse(f"`{name}` returned periods, which have no type here", "Return their names: `.astype(str)`")
    if isinstance(returned, RowIndex):
        _refuse(f"`{name}` returned the row index", "Return it as a column: `p.index.to_series()`")
    if isinstance(returned, Labels):
        return Constant(list(returned))
    if isinstance(returned, DTypes):
        return Constant({label: dtype.name for label, dtype in returned.items()})
    if isinstance(returned, DType):
        return Constant(returned.name)
    if hasattr(returned, "__await__") or hasattr(returned, "__anext__"):
        if hasattr(returned, "close"):
            returned.close()
        _refuse(
            f"`{name}` is an async function",
            "Write an ordinary function: it is called once, and runs natively",
        )
    if hasattr(returned, "__next__"):
        _refuse(
            f"`{name}` returned a generator or iterator",
            "Return one partition, column or scalar instead of `yield`",
        )
    if _holds_symbolic(returned):
        _refuse(
            f"`{name}` returned a {type(returned).__name__} of several results",
            "Return one: name aggregates with `p.agg(total=('v', 'sum'), top=('v', 'max'))`, "
            "or run one task for each",
        )
    if type(returned).__module__.partition(".")[0] in _LIBRARIES[1:]:
        _refuse(
            f"`{name}` returned a {type(returned).__module__.partition('.')[0]} {type(returned).__name__}, "
            "which a native operation cannot",
            "Return a partition, column or scalar; several aggregates together are "
            "`p.agg(total=('v', 'sum'), top=('v', 'max'))`",
        )
    _only_plain(returned, name)
    return Constant(returned)


def _only_plain(value: Any, name: str, depth: int = 8) -> None:
    """Refuses what cannot be meant as an answer, and what was made of a column's text."""
    if isinstance(value, str) and _SYMBOLIC_TEXT in value:
        _refuse(
            f"`{name}` returned the text of a column or partition, whose rows are not known while it is traced",
            "Return the column itself, and make text of the answer",
        )
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | Decimal):
        return
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return
    if type(value).__module__.partition(".")[0] == "numpy" and getattr(value, "ndim", None) == 0:
        return
    if depth and isinstance(value, dict):
        for item in (*value.keys(), *value.values()):
            _only_plain(item, name, depth - 1)
        return
    if depth and isinstance(value, list | tuple | set | frozenset):
        for item in value:
            _only_plain(item, name, depth - 1)
        return
    if callable(value) and hasattr(value, "__name__"):
        _refuse(
            f"`{name}` returned `{value.__name__}`, which is a function: did you forget `()`?",
            "Return a partition, column, scalar or plain value",
        )
    _refuse(
        f"`{name}` returned a {type(value).__name__}, which is no answer that can be given natively",
        "Return a partition, column, scalar or plain value",
    )


def _holds_symbolic(value: Any, depth: int = 4) -> bool:
    """Whether a container has something symbolic in it."""
    if isinstance(value, _SYMBOLIC):
        return True
    if depth and isinstance(value, dict):
        return any(_holds_symbolic(item, depth - 1) for item in value.values())
    if depth and isinstance(value, list | tuple | set | frozenset):
        return any(_holds_symbolic(item, depth - 1) for item in value)
    return False


def _refuse(what: str, advice: str) -> NoReturn:
    raise refusal(what, advice, returned=True)


class Place(NamedTuple):
    """Where in the user's code."""

    file: str
    line: int
    function: str
    source: str
    call: str
    library: str | None = None
    """NumPy, pandas, ... where the user's line called it, and it called the partition."""

    def details(self) -> dict[str, Any]:
        """The facts for programs."""
        return {name: value for name, value in self._asdict().items() if value is not None}

    def __str__(self) -> str:
        text = f"\n  at {self.file}:{self.line}, in {self.function}"
        return f"{text}\n    {self.source}" if self.source else text


def _locate(error: RLMError, operation: Callable[..., Any]) -> None:
    """Adds the user's line to an error that has none."""
    if "line" in error.details:
        return
    place = _place(error.__traceback__, operation)
    if place is not None:
        through = (
            ""
            if place.library is None
            else f"`{place.call or place.function}` goes through {place.library}: "
        )
        error.message = f"{through}{error.message}{place}"
        error.args = (error.message,)
        error.details = {**place.details(), **error.details}


def _translated(error: Exception, operation: Callable[..., Any]) -> RLMError:
    """The error of the task for an ordinary exception that ended the trace."""
    place = _place(error.__traceback__, operation)
    details: dict[str, Any] = {"exception": type(error).__name__}
    if place is not None:
        details.update(place.details())
    where = str(place or "")
    if isinstance(error, UnknownAttribute):
        return SchemaMismatchError(f"{error}{where}", details=details)
    if isinstance(error, AttributeError) and isinstance(error.obj, (*_SYMBOLIC, *_KNOWN)):
        what = f"`.{error.name}` of `{_words(error.obj)}` is not native in this version"
        return refusal(what, _ADVICE, where, **details)
    if isinstance(error, TypeError) and _SIGNATURE.match(str(error)):
        said = _SIGNATURE.sub(lambda found: f"`{_PANDAS[found[1]]}.{found[2]}` {found[3]}", _sentence(error))
        return refusal(f"{said}: that is not native in this version", "Leave it out", where, **details)
    if isinstance(error, TypeError | ValueError) and _about_us(str(error)):
        what = (
            f"{_sentence(error)}: the function needs real rows, and a partition has none while it is traced"
        )
        return refusal(what, _ADVICE, where, **details)
    return OperationFailedError(
        f"`{_name(operation)}` raised {type(error).__name__} while it was traced: {_sentence(error)}{where}",
        details=details,
    )


def _sentence(error: Exception) -> str:
    return " ".join(_core.redact(str(error)).split())[:300] or "no message"


_PANDAS = {
    "Partition": "DataFrame",
    "Elementwise": "DataFrame",
    "Shaping": "DataFrame",
    "Expressions": "DataFrame",
    "RowFunctions": "DataFrame",
    "FrameReplacing": "DataFrame",
    "Replacing": "Series",
    "Sampling": "DataFrame",
    "Aligning": "DataFrame",
    "Picking": "Series",
    "RowLabels": "DataFrame",
    "Stacking": "DataFrame",
    "Factorizing": "Series",
    "PickingFrame": "DataFrame",
    "AligningFrame": "DataFrame",
    "AligningColumn": "Series",
    "Mapping": "Series",
    "Levelled": "Series",
    "Summaries": "DataFrame",
    "Column": "Series",
    "Reductions": "Series",
    "Windows": "Series",
    "FrameWindows": "DataFrame",
    "Merging": "DataFrame",
    "Reshaping": "DataFrame",
    "Pivoting": "DataFrame",
    "Unstacking": "Series",
    "Wide": "DataFrame",
    "GroupWindows": "DataFrameGroupBy",
    "GroupRows": "DataFrameGroupBy",
    "SeriesGroupRows": "SeriesGroupBy",
    "GroupFunctions": "DataFrameGroupBy",
    "Rolling": "Rolling",
    "Expanding": "Expanding",
    "ExponentialMovingWindow": "ExponentialMovingWindow",
    "Moving": "Rolling",
    "Operators": "Series",
    "StringMethods": "Series.str",
    "GroupBy": "DataFrameGroupBy",
    "DataFrameGroupBy": "DataFrameGroupBy",
    "SeriesGroupBy": "SeriesGroupBy",
}
"""Our classes, and what pandas calls them."""

_SIGNATURE = re.compile(rf"({'|'.join(_PANDAS)})\.(\w+)\(\) (got|missing|takes|expected)")
"""How Python says that a method was called with arguments it does not have."""


def _words(value: object) -> str:
    return {"Labels": "p.columns", "DTypes": "p.dtypes", "DType": "p['x'].dtype"}.get(
        type(value).__name__, type(value).__name__
    )


def _about_us(message: str) -> bool:
    """Whether a TypeError speaks of one of the symbolic classes."""
    return bool(
        re.search(
            r"rlm_hypervisor|\b(Partition|Column|Scalar|Summary|DataFrameGroupBy|SeriesGroupBy|Element|GroupValue|Wide)\b",
            message,
        )
    )


def _name(operation: Callable[..., Any]) -> str:
    return getattr(operation, "__name__", None) or type(operation).__name__


def _place(traceback: TracebackType | None, operation: Callable[..., Any]) -> Place | None:
    """The innermost line of the traceback that is the user's own; else where the operation is defined."""
    found: TracebackType | None = None
    library: str | None = None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if _is_users(file):
            found, library = traceback, None
        else:
            library = library or _library(file)
        traceback = traceback.tb_next
    if found is not None:
        code = found.tb_frame.f_code
        source, call = _text(code, found.tb_lineno, found.tb_lasti)
        return Place(code.co_filename, found.tb_lineno, _qualname(code), source, call, library)
    code_of = _code(operation)
    if code_of is None:
        return None
    source, _ = _text(code_of, code_of.co_firstlineno, -1)
    return Place(code_of.co_filename, code_of.co_firstlineno, _qualname(code_of), source, source)


def _code(operation: Any) -> CodeType | None:
    """The code behind a function, method, partial or object with `__call__`."""
    for _ in range(8):
        if hasattr(operation, "__code__"):
            return operation.__code__  # type: ignore[no-any-return]
        inner = getattr(operation, "func", None) or getattr(operation, "__func__", None)
        operation = inner if inner is not None else type(operation).__dict__.get("__call__")
    return None


def _qualname(code: CodeType) -> str:
    return str(getattr(code, "co_qualname", code.co_name)).replace("<locals>.", "")


def _is_users(file: str) -> bool:
    """Not this package, nor a library that only passed the call on."""
    return not file.startswith((_PACKAGE, "<frozen")) and _library(file) is None


def _library(file: str) -> str | None:
    """Which of the known libraries a file belongs to."""
    if _standard(file):
        return "the standard library"
    for name in _LIBRARIES:
        root = getattr(sys.modules.get(name), "__file__", None)
        if root and file.startswith(os.path.dirname(root) + os.sep):
            return name
    return None


def _standard(file: str) -> bool:
    """Whether a file is one of Python's own, not of a package installed below them."""
    import sysconfig

    root = sysconfig.get_path("stdlib") + os.sep
    return file.startswith(root) and "site-packages" not in file and "dist-packages" not in file


def _text(code: CodeType, line: int, instruction: int) -> tuple[str, str]:
    """The line as it is written, and the part of it that was being evaluated."""
    import linecache

    raw = linecache.getline(code.co_filename, line)
    source = raw.strip()
    positions = getattr(code, "co_positions", None)  # Python 3.11
    if positions is None or instruction < 0:
        return source, source
    for index, (first, last, start, end) in enumerate(positions()):
        if index == instruction // 2:
            if first == last == line and start is not None and end is not None:
                return source, raw.encode()[start:end].decode(errors="replace").strip() or source
            break
    return source, source
