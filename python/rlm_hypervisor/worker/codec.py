"""Functions and values as bytes."""

from __future__ import annotations

import functools
import io
import pickle
import sys
from typing import Any


def load(data: bytes) -> Any:
    """The function of a message, with the places its modules are found in."""
    paths, pickled = pickle.loads(data)
    for path in paths:
        if path not in sys.path:
            sys.path.append(path)
    return pickle.loads(pickled)


def dump(value: Any) -> bytes:
    """A value for another process; classes and functions of `__main__` go with it."""
    try:
        return pickle.dumps(value, protocol=5)
    except Exception:
        return by_value(value)


def by_value(value: Any) -> bytes:
    """A value with the code of functions and classes that cannot be imported elsewhere."""
    with io.BytesIO() as file:
        _pickler()(file, protocol=5).dump(value)
        return file.getvalue()


@functools.cache
def _pickler() -> Any:
    """cloudpickle's, but code keeps the name of its file, so that tracebacks have the user's own lines."""
    import marshal
    from collections import ChainMap
    from types import CodeType

    import cloudpickle

    # Both processes are the same interpreter, so code can go as the interpreter itself stores it.
    code = {CodeType: lambda code: (marshal.loads, (_code(code),))}
    table = ChainMap(code, cloudpickle.Pickler.dispatch_table)
    return type("Pickler", (cloudpickle.Pickler,), {"dispatch_table": table})


def _code(code: Any) -> bytes:
    """Code as bytes that are the same every time: from version 3 on they depend on who else refers to its constants."""
    import marshal

    try:
        return marshal.dumps(code, 2)
    except ValueError:
        # It has constants that older versions do not know.
        return marshal.dumps(code)
