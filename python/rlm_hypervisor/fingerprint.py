"""What tells tasks, functions and values from others: the same in every process, whatever pickle would make of them."""

from __future__ import annotations

import copyreg
import hashlib
import struct
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

from rlm_hypervisor.errors import InvalidTaskError

SIZE = 16
"""Bytes of a print; `src/runtime/calls/feed.rs` has the same number."""

MAY_CHANGE = frozenset(
    {
        "timeoutMs", "priority", "retries", "onError", "maxFailures", "backoffMs", "maxBackoffMs", "retryOn",
        "doNotRetry", "chunkTimeoutMs", "softTimeoutMs", "parallelism", "memoryLimit", "tags", "progress",
        "idempotencyKey",
    }
)  # fmt: skip
"""Options that say how a task is run, not what it is."""


def task_of(
    spec: Mapping[str, Any], operations: list[Callable[..., Any]], others: Mapping[str, Any], value: Any
) -> dict[str, str]:
    """What makes a task what it is, in three digests; a source's own is the core's to add.

    Raises:
        InvalidTaskError: something that the task holds cannot be told from others.
    """
    parts = ("type", "chunkSize", "combine", "key", "reduce", "setup")
    document = {part: _words(spec.get(part)) for part in parts}
    if spec.get("output") is not None:
        document["output"] = spec["output"]
    document["options"] = {key: spec["options"][key] for key in spec["options"] if key not in MAY_CHANGE}
    try:
        return {
            "document": print_of(document).hex(),
            "code": print_of([operations, sorted(others.items(), key=lambda item: item[0])]).hex(),
            "input": print_of(value).hex(),
        }
    except InvalidTaskError:
        raise
    except Exception as error:
        raise InvalidTaskError(
            f"the task cannot be told from others, as `idempotencyKey` needs it: {error}. "
            "Leave the key out, or keep what is meant out of the operation's closure",
            details={"path": "options.idempotencyKey"},
        ) from error


def _words(value: Any) -> Any:
    """A part of the document; of a function only that there is one, for its code is looked at by itself."""
    if isinstance(value, Mapping):
        return "a function" if "callable" in value or "named" in value else dict(value)
    return value


def print_of(value: Any) -> bytes:
    """What tells a value from others.

    Equal values of plain types have equal prints in every process; dicts by their entries in order, sets in any. Of
    other objects counts what pickle would take of them.
    """
    return _Printer().print(value)


def together(prints: bytes) -> bytes:
    """One print for several."""
    return hashlib.blake2b(prints, digest_size=SIZE).digest()


class _Printer:
    """One look at a value, with what it has met on its way."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=SIZE)
        self._within: dict[int, int] = {}
        # Functions and classes are looked into once.
        self._known: dict[int, int] = {}

    def print(self, value: Any) -> bytes:
        self._add(value)
        return self._digest.digest()

    def _text(self, tag: str, text: str) -> None:
        self._bytes(tag, text.encode("utf-8", "surrogatepass"))

    def _bytes(self, tag: str, data: Any) -> None:
        view = memoryview(data).cast("B")
        self._digest.update(tag.encode() + struct.pack("<Q", view.nbytes))
        self._digest.update(view)

    def _add(self, value: Any) -> None:
        kind = type(value)
        if value is None or value is Ellipsis or kind in (bool, int, float, complex):
            self._text(kind.__name__, repr(value))
        elif kind is str:
            self._text("str", value)
        elif kind in (bytes, bytearray):
            self._bytes(kind.__name__, value)
        elif id(value) in self._known:
            self._text("again", str(self._known[id(value)]))
        elif id(value) in self._within:
            # It contains itself: the place says where.
            self._text("circle", str(self._within[id(value)]))
        else:
            self._within[id(value)] = len(self._within)
            try:
                self._compound(kind, value)
            finally:
                del self._within[id(value)]
            if isinstance(value, types.FunctionType | type):
                self._known[id(value)] = len(self._known)

    def _compound(self, kind: type, value: Any) -> None:
        if kind in (list, tuple):
            self._text(kind.__name__, str(len(value)))
            for item in value:
                self._add(item)
        elif kind is dict:
            self._text("dict", str(len(value)))
            for key, item in value.items():
                self._add(key)
                self._add(item)
        elif kind in (set, frozenset):
            self._text("set", str(len(value)))
            for data in sorted(_Printer().print(item) for item in value):
                self._bytes("in", data)
        elif kind is range:
            self._text("range", repr(value))
        elif isinstance(value, types.CodeType):
            self._code(value)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.ModuleType):
            self._text("module", value.__name__)
        elif isinstance(value, types.BuiltinFunctionType) and isinstance(
            value.__self__, types.ModuleType | None
        ):
            self._text("builtin", f"{value.__module__}.{value.__qualname__}")
        elif not self._data(kind, value):
            self._object(value)

    def _code(self, code: types.CodeType) -> None:
        self._text("code", code.co_name)
        self._bytes("bytes", code.co_code)
        for part in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_consts):
            self._add(tuple(part))
        self._add((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags))

    def _function(self, function: types.FunctionType) -> None:
        self._text("function", function.__qualname__)
        self._add(function.__code__)
        self._add(function.__defaults__)
        self._add(function.__kwdefaults__)
        for cell in function.__closure__ or ():
            try:
                self._add(cell.cell_contents)
            except ValueError:
                self._text("cell", "empty")
        # Functions and classes of the user's own that it calls are part of what it does.
        for name in sorted(_names(function.__code__)):
            found = function.__globals__.get(name)
            if isinstance(found, types.FunctionType | type) and _is_users(found.__module__):
                self._text("calls", name)
                self._add(found)

    def _class(self, value: type) -> None:
        self._text("class", f"{value.__module__}.{value.__qualname__}")
        if _is_users(value.__module__):
            for name, part in sorted(vars(value).items()):
                part = getattr(part, "__func__", getattr(part, "fget", part))
                if isinstance(part, types.FunctionType):
                    self._text("method", name)
                    self._add(part)

    def _data(self, kind: type, value: Any) -> bool:
        """Arrays and tables, by their values; False for what is none."""
        library = kind.__module__.partition(".")[0]
        if library == "numpy" and kind.__name__ == "ndarray" and value.dtype != object:
            self._text("array", f"{value.dtype.str} {value.shape}")
            self._bytes("values", value.tobytes())
        elif library == "pandas" and kind.__name__ in ("DataFrame", "Series", "Index"):
            import pandas

            self._text(kind.__name__, str(value.shape))
            if kind.__name__ == "DataFrame":
                self._add([list(value.columns), [str(dtype) for dtype in value.dtypes]])
            else:
                self._add([value.name, str(value.dtype)])
            self._bytes("values", pandas.util.hash_pandas_object(value).to_numpy().tobytes())
        elif hasattr(value, "__arrow_c_stream__"):
            import pyarrow

            table = pyarrow.table(value).combine_chunks()
            sink = pyarrow.BufferOutputStream()
            with pyarrow.ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(table)
            self._bytes("table", sink.getvalue())
        else:
            return False
        return True

    def _object(self, value: Any) -> None:
        """Anything else as pickle takes it apart."""
        reducer = copyreg.dispatch_table.get(type(value))
        reduced = reducer(value) if reducer is not None else value.__reduce_ex__(4)
        if isinstance(reduced, str):
            self._text("global", f"{type(value).__module__}.{reduced}")
            return
        made, arguments, *rest = reduced
        state, items, entries = (*rest[:3], None, None, None)[:3]
        self._text("object", str(len(rest)))
        self._add(made)
        self._add(tuple(arguments))
        self._add(state)
        self._add(None if items is None else list(items))
        self._add(None if entries is None else list(entries))


def _names(code: types.CodeType) -> set[str]:
    """The global names that code and the functions in it use."""
    found = set(code.co_names)
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            found |= _names(part)
    return found


def _is_users(module: str | None) -> bool:
    """Whether a module is the user's own: of `__main__`, or of a file that is not installed."""
    if module in (None, "__main__"):
        return True
    name = str(module)
    if name.partition(".")[0] in sys.stdlib_module_names or name.partition(".")[0] == "rlm_hypervisor":
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and "site-packages" not in file and "dist-packages" not in file
