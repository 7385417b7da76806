"""Text methods of the labels of columns: `p.columns.str.lower()`, `p.loc[:, p.columns.str.startswith("q")]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.patterns import UNSET, compiled
from rlm_hypervisor.partition.refusal import boolean, refuse

_OF_PYTHON = frozenset(
    (
        *("lower", "upper", "title", "capitalize", "swapcase", "casefold", "strip", "lstrip", "rstrip"),
        *("removeprefix", "removesuffix", "zfill", "center", "ljust", "rjust"),
    )
)
"""Methods that pandas' and Python's strings have under one name and with the same meaning."""


class LabelStrings:
    """The text methods of labels, which are known while an operation is traced: so they are run at once."""

    __slots__ = ("_flags", "_labels", "_made")

    def __init__(self, labels: Iterable[Any], made: Callable[..., Any], flags: Callable[..., Any]) -> None:
        self._labels = list(labels)
        self._made = made
        self._flags = flags
        if not all(isinstance(label, str) for label in self._labels):
            refuse(
                f"`.str` of labels that are not all text: {clipped(self._labels)}",
                "Make them text first: `p.columns.map(str)`",
            )

    def _each(self, change: Callable[[str], Any]) -> Any:
        return self._made([change(label) for label in self._labels])

    def _ask(self, question: Callable[[str], bool]) -> Any:
        return self._flags([question(label) for label in self._labels])

    def replace(
        self,
        pat: Any,
        repl: Any,
        n: int = -1,
        case: bool | None = None,
        flags: int = 0,
        regex: bool = False,
    ) -> Any:
        """With `repl` for `pat`, which with `regex` is a pattern."""
        call = "Index.str.replace"
        if not boolean(call, "regex", regex) and case is not False and not flags:
            return self._each(lambda label: label.replace(pat, repl, n))
        pattern, bits = compiled(call, pat if regex else re.escape(pat), flags, case is not False)
        return self._each(lambda label: re.sub(pattern, repl, label, count=max(n, 0), flags=bits))

    def contains(
        self, pat: Any, case: bool = True, flags: int = 0, na: object = UNSET, regex: bool = True
    ) -> Any:
        """Which labels have a match of `pat`, with `regex=False` the text, in them."""
        call = "Index.str.contains"
        wanted = pat if boolean(call, "regex", regex) else re.escape(pat)
        pattern, bits = compiled(call, wanted, flags, case)
        return self._ask(lambda label: re.search(pattern, label, bits) is not None)

    def match(self, pat: Any, case: bool = True, flags: int = 0, na: object = UNSET) -> Any:
        """Which labels begin with a match of `pat`."""
        pattern, bits = compiled("Index.str.match", pat, flags, case)
        return self._ask(lambda label: re.match(pattern, label, bits) is not None)

    def fullmatch(self, pat: Any, case: bool = True, flags: int = 0, na: object = UNSET) -> Any:
        """Which labels are a match of `pat`."""
        pattern, bits = compiled("Index.str.fullmatch", pat, flags, case)
        return self._ask(lambda label: re.fullmatch(pattern, label, bits) is not None)

    def startswith(self, pat: Any, na: object = UNSET) -> Any:
        """Which labels begin with a text, or one of a tuple of texts."""
        return self._ask(lambda label: label.startswith(pat))

    def endswith(self, pat: Any, na: object = UNSET) -> Any:
        """Which labels end with a text, or one of a tuple of texts."""
        return self._ask(lambda label: label.endswith(pat))

    def slice(self, start: int | None = None, stop: int | None = None, step: int | None = None) -> Any:
        """The characters from `start` to `stop`."""
        return self._each(lambda label: label[start:stop:step])

    def len(self) -> Any:
        """How many characters each has."""
        return self._each(len)

    def __getitem__(self, key: Any) -> Any:
        return self._each(lambda label: label[key])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in _OF_PYTHON:
            refuse(
                f"`Index.str.{name}` of the labels of columns is not native",
                "Labels are known: write it in Python, `p.columns = [label.lower() for label in p.columns]`",
                call=f"Index.str.{name}",
            )
        return lambda *args, **kwargs: self._each(lambda label: getattr(label, name)(*args, **kwargs))
