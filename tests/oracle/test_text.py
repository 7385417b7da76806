"""Text methods on tricky text: combining marks, odd case mappings, digits of other scripts, newlines, long texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import NotDecomposableError, RLMClient, RLMError

from tests.conftest import make_task
from tests.oracle._cases import _parse
from tests.oracle._run import COMBINATIONS, check

Clients = Callable[[int], RLMClient]

TEXTS = [
    "e\u0301tude", "\u00e9tude", "Stra\u00dfe", "\u01c5", "\u01c4", "\u0130stanbul", "\u0131", "\ufb01ne",
    "\u03a3\u03b1\u03c2", "\u1fb3", "\u0663\u0664", "\u00b2\u00bd", "\u2167", "\u4e09", "12", "-12", "+7", "3.5",
    "a\nb", "a\n", "\n", "\r\n", "tab\there", "\x1cx\x1f", "\u00a0 nbsp\u2003", "'quoted'", '"', "back\\slash",
    "a" * 5000, "\u00e9" * 700 + "z", "\U0001d518x\U0001f600", "", " ", None, "snake_case word", "A b C",
    "don't stop", "x-ray", "\u02b0a", "a,b,,c", ",", "key=value=more", "  two   words ", "IJ\u0132",
]  # fmt: skip

CASES = r"""
p["s"].str.lower()
p["s"].str.upper()
p["s"].str.title()
p["s"].str.capitalize()
p["s"].str.swapcase()
p["s"].str.casefold()
p["s"].str.strip()
p["s"].str.lstrip()
p["s"].str.rstrip("\nza")
p["s"].str.strip("é a")
p["s"].str.isalnum()
p["s"].str.isalpha()
p["s"].str.isdecimal()
p["s"].str.isdigit()
p["s"].str.isnumeric()
p["s"].str.isspace()
p["s"].str.islower()
p["s"].str.isupper()
p["s"].str.istitle()
p["s"].str.isascii()
p["s"].str[0]
p["s"].str[-1]
p["s"].str[2:5]
p["s"].str[-3:-1]
p["s"].str[::-2]
p["s"].str.slice_replace(1, -1, "ß")
p["s"].str.normalize("NFC")
p["s"].str.normalize("NFKD")
p["s"].str.center(6, "ß")
p["s"].str.zfill(5)
p["s"].str.contains(r"\w\Z")
p["s"].str.contains("a$")
p["s"].str.contains(r"^\w+$")
p["s"].str.contains(r"\d")
p["s"].str.contains(r"\s")
p["s"].str.contains(r"[^\W\d_]{3}")
p["s"].str.contains("É", case=False)
p["s"].str.contains("STRASSE", case=False)
p["s"].str.contains("a.b")
p["s"].str.contains("a.b", flags=16)
p["s"].str.contains("^b", flags=8)
p["s"].str.contains(r"\\")
p["s"].str.contains("\\", regex=False)
p["s"].str.contains("'|\"")
p["s"].str.contains("a.*b.*c")
p["s"].str.contains(r"a(?=\w)")
p["s"].str.contains(r"(.)\1")
p["s"].str.contains(r"(?<!-)x\b")
p["s"].str.replace(r"(?<=a)b", "*", regex=True)
p["s"].str.extract(r"(\w)\1(.)")
p["s"].str.match(r"\w+")
p["s"].str.fullmatch(r"\w+")
p["s"].str.fullmatch("a.")
p["s"].str.count("a")
p["s"].str.count(r"\w")
p["s"].str.replace("a", "\\")
p["s"].str.replace(r"(\w)(\w)", r"\2\1", regex=True)
p["s"].str.replace(r"\s", "_", regex=True)
p["s"].str.replace("b$", "!", regex=True)
p["s"].str.replace("é", "e", regex=True)
p["s"].str.replace("É", "-", case=False, regex=True)
p["s"].str.extract(r"(\w+)\W+(\w+)?")
p["s"].str.extract(r"(?P<sign>[-+])(?P<digits>\d+)")
p["s"].str.extract(r"([a-z]+)$")
p["s"].str.partition("=")
p["s"].str.rpartition("=")
p["s"].str.split(",").str.len()
p["s"].str.split().str.len()
p["s"].str.find("a")
p["s"].str.rfind("e")
p["s"].str.find("b", -3)
p["s"].str.join("é")
p["s"].str.repeat(2)
p["s"].str.translate({0xe9: "e", 0x301: None, 10: " "})
p["s"].str.removeprefix("é")
p["s"].str.startswith(("é", "ǅ"))
p["s"].str.endswith("\n")
p["s"].str.encode("utf-8")
p["s"].str.len()
pd.to_numeric(p["s"], errors="coerce")
"""


def _table() -> pa.Table:
    # An integer column with a missing value: then whole numbers may be floats in pandas.
    numbers = pa.array([None, *range(len(TEXTS) - 1)], pa.int64())
    return pa.table({"s": pa.array(TEXTS, pa.string()), "i": numbers})


@pytest.mark.parametrize("number", range(len(_parse(CASES))))
def test_tricky_text(number: int, clients: Clients) -> None:
    case = _parse(CASES)[number]
    chunk, threads = COMBINATIONS[number % len(COMBINATIONS)]
    check(clients(threads).execute, case.function, _table(), _table(), chunk)


PIECES = r"""
p["s"].str.split(",").str[0]
p["s"].str.split(",").str[2]
p["s"].str.split(",").str.get(-1)
p["s"].str.split().str[1]
p["s"].str.split(n=1).str[1]
p["s"].str.split("a", n=2).str[-1]
p["s"].str.split(r"[=,]", regex=True).str[1]
p["s"].str.split(r"\W").str[0]
p["s"].str.rsplit(",", n=1).str[0]
p["s"].str.rsplit(n=1).str[-1]
p["s"].str.rsplit().str[0]
p["s"].str.split(",", n=1, expand=True)[0]
p["s"].str.split(",", n=1, expand=True)[1]
p["s"].str.split("=", n=2, expand=True)[[0, 1, 2]]
p["s"].str.rsplit(" ", n=1, expand=True)[[1]]
q = p[["i"]]; q[["a", "b"]] = p["s"].str.split(",", n=1, expand=True); q
"""


@pytest.mark.parametrize("number", range(len(_parse(PIECES))))
def test_pieces_are_text(number: int, clients: Clients) -> None:
    """As pandas', but `str` where pandas has a column of objects."""
    case = _parse(PIECES)[number]
    expected = case.function(_table().to_pandas())
    if isinstance(expected, pd.Series) and expected.dtype == object:
        expected = expected.astype("str")
    chunk, threads = COMBINATIONS[number % len(COMBINATIONS)]
    check(clients(threads).execute, case.function, _table(), _table(), chunk, expected=expected)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "conditional group": lambda p: p["s"].str.contains("(a)?(?(1)b|c)"),
    "together with IGNORECASE": lambda p: p["s"].str.contains(r"(?i)(a)\1"),
    "no pattern of Python's": lambda p: p["s"].str.contains("(a"),
    "matches empty text": lambda p: p["s"].str.replace(r"\s*", "", regex=True),
    "runs Python for every match": lambda p: p["s"].str.replace("a", lambda m: "b", regex=True),
    "number of times|Say how many times": lambda p: p["s"].str.split(",", expand=True),
    "empty text matches": lambda p: p["s"].str.count("a*"),
    "takes a column, or a list of columns": lambda p: p["s"].str.cat(sep=","),
    "UTF-8": lambda p: p["s"].str.encode("latin-1"),
    "no column 2": lambda p: p["s"].str.split(",", n=1, expand=True)[2],
    "gives lists": lambda p: p.assign(z=p["s"].str.split(",")[0]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused(message: str, clients: Clients) -> None:
    with pytest.raises(NotDecomposableError, match=message):
        clients(1).execute(make_task(_table(), REFUSED[message]))


def test_only_text_has_text_methods(clients: Clients) -> None:
    with pytest.raises(RLMError, match="needs a column of text"):
        clients(1).execute(make_task(_table(), lambda p: p["i"].str.lower()))


def test_compiled_patterns(clients: Clients) -> None:
    pattern = re.compile("STRA", re.IGNORECASE)
    check(clients(1).execute, lambda p: p["s"].str.contains(pattern), _table(), _table())
    check(clients(1).execute, lambda p: p["s"].str.extract(re.compile("(st)")), _table(), _table())


def test_a_text_without_it_fails(clients: Clients) -> None:
    with pytest.raises(RLMError, match="substring not found"):
        clients(1).execute(make_task(_table(), lambda p: p["s"].str.index("zzz")))
