"""Functions as bytes, with the places that their code is from, so that tracebacks of workers show the user's lines."""

from __future__ import annotations

import io
from collections import ChainMap
from collections.abc import Callable
from types import CodeType
from typing import Any, ClassVar

import cloudpickle

_NOWHERE = "<dynamic-code>"
"""What cloudpickle puts in the place of a code's file."""

_reduce_code: Callable[[CodeType], Any] = cloudpickle.Pickler.dispatch_table[CodeType]


def _code(code: CodeType) -> Any:
    make, arguments, *rest = _reduce_code(code)
    told = tuple(
        code.co_filename if isinstance(part, str) and part == _NOWHERE else part for part in arguments
    )
    return (make, told, *rest)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar[Any] = ChainMap({CodeType: _code}, cloudpickle.Pickler.dispatch_table)


def dumps(function: Callable[..., Any]) -> bytes:
    """As `cloudpickle.dumps`."""
    with io.BytesIO() as file:
        _Pickler(file, protocol=5).dump(function)
        return file.getvalue()
