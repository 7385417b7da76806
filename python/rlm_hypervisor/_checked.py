"""Documents of tasks in normal form: one that was checked before is known."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor.operations import Operations

_MOST = 128
_BYTES = 4096
"""Larger documents are not remembered."""


_LARGEST = 1 << 63


def _is_plain(value: Any) -> bool:
    """Whether a value of the user's own comes out of the core as it went in."""
    if isinstance(value, str):
        return value.isascii()
    return isinstance(value, int | float) and -_LARGEST < value < _LARGEST


class Checked:
    """Checks documents, which depends on nothing but what they say and which operations are registered.

    Args:
        registered: where operations are found; later ones hide earlier ones.
    """

    def __init__(self, *registered: Operations) -> None:
        self._registered = registered
        self._changes: list[int] = []
        self._known: dict[bytes, Mapping[str, Any]] = {}

    def spec(self, document: Any) -> Mapping[str, Any]:
        """The normal form, which is not to be changed. A value of the user's own is in it, and decides nothing there.

        Raises:
            RLMError: the document is not one of a task.
        """
        changes = [operations.changes for operations in self._registered]
        if changes != self._changes:
            self._changes, self._known = changes, {}
        value = document.get("input") if isinstance(document, dict) else None
        own = _is_plain(value)
        try:
            told = marshal.dumps({**document, "input": 0} if own else document, 2)
        except (TypeError, ValueError):
            return self._parsed(document)
        spec = self._known.get(told)
        if spec is not None:
            return {**spec, "input": {"value": value}} if own else spec
        spec = self._parsed(document)
        if len(told) <= _BYTES and (not own or "value" in spec["input"]):
            if len(self._known) == _MOST:
                self._known.clear()
            self._known[told] = spec
        return spec

    def _parsed(self, document: Any) -> Mapping[str, Any]:
        told: dict[str, str] = {}
        for operations in self._registered:
            told.update(operations.descriptions())
        return _core.parse_task(document, list(told.items()))
