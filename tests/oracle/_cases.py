"""Cases: every method of the surface with its main keywords, as plain pandas code; the files of `cases/` list them.

A case is its own source text, with `p` for the partition: what fails can be pasted into a shell.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Case:
    """A name and a function that pandas and we both run. `power` 2 (`#2`): its floats grow like squares."""

    name: str
    function: Callable[[Any], Any]
    power: int = 1
    noop: bool = False
    """`#n`: where nothing was replaced pandas keeps integers that we have made floats of."""
    typed: bool = False
    """`#e`: of a table without rows pandas gives another type, for it never called the function."""
    filled: bool = False
    """`#a`: of a column of nothing but missing values pandas gives floats, for it never called the function."""


def _parse(text: str) -> list[Case]:
    """One case a line, with flags at its end (`#2`, `#n`, `#e`, `#a`); `a; b; c` are statements and an expression."""
    cases = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        code, _, flag = line.partition(" #")
        *statements, value = code.split("; ")
        body = "".join(f"    {statement}\n" for statement in statements)
        space: dict[str, Any] = {"pd": pd, "np": np, "math": math}
        exec(compile(f"def case(p):\n{body}    return {value}\n", f"<{code}>", "exec"), space)
        cases.append(
            Case(code, space["case"], 2 if "2" in flag else 1, "n" in flag, "e" in flag, "a" in flag)
        )
    return cases


def _listed() -> list[Case]:
    """The cases of every file of `cases/`: the lines of its public texts."""
    from tests.oracle import cases

    found = []
    for module in pkgutil.iter_modules(cases.__path__):
        texts = vars(importlib.import_module(f"{cases.__name__}.{module.name}"))
        for name, text in texts.items():
            if name.isupper() and not name.startswith("_") and isinstance(text, str):
                found += _parse(text)
    return found


CASES: list[Case] = _listed()
