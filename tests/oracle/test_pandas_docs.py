"""A second oracle of pandas: the examples in its own documentation, for every method that is native.

Every expression of an example that calls the method is asked of pandas and of us. The answers must be equal, or
ours must be a refusal; a different answer is never right.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
from rlm_hypervisor import RLMClient
from rlm_hypervisor.partition.pandas_functions import FUNCTIONS
from rlm_hypervisor.partition.surface import SURFACES, native

from tests.oracle._docs import DIFFERENT, EQUAL, Outcome, docstring, outcomes, table

Clients = Callable[[int], RLMClient]

FLOOR = 200
"""At least so many expressions have equal answers; raise it when more do."""

KNOWN: dict[str, str] = {
    "ser.searchsorted(1)": "values in no ascending order end with an error, where pandas' answer is wrong",
}
"""Expressions whose answers differ on purpose, with the reason; docs/dtypes.md has each."""

METHODS = sorted((surface, method) for surface in SURFACES for method in native(surface))
METHODS += sorted(("pandas", function) for function in FUNCTIONS)


def _distinct() -> dict[tuple[str, str], str]:
    """The docstrings by method; classes that share one have it once."""
    seen: set[tuple[str, str]] = set()
    found = {}
    for surface, method in METHODS:
        text = docstring(surface, method)
        if ">>>" in text and (method, text) not in seen:
            seen.add((method, text))
            found[surface, method] = text
    return found


TEXTS = _distinct()


@pytest.fixture(scope="module")
def found(clients: Clients) -> Callable[[tuple[str, str]], list[Outcome]]:
    """What came of a method's examples."""
    return functools.cache(lambda key: list(outcomes(clients(2), key[1], TEXTS[key], (2, "auto"))))


@pytest.mark.parametrize("key", TEXTS, ids=".".join)
def test_examples_are_equal_or_refused(
    key: tuple[str, str], found: Callable[[tuple[str, str]], list[Outcome]]
) -> None:
    wrong = [o for o in found(key) if o.what == DIFFERENT and o.code not in KNOWN]
    assert not wrong, "\n\n".join(f">>> {outcome.code}\n{outcome.why}" for outcome in wrong)


def test_enough_examples_are_equal(found: Callable[[tuple[str, str]], list[Outcome]]) -> None:
    everything = [outcome for key in TEXTS for outcome in found(key)]
    print(table(everything))
    assert sum(outcome.what == EQUAL for outcome in everything) >= FLOOR
    codes = {outcome.code: outcome.what for outcome in everything}
    assert not [code for code in KNOWN if codes.get(code) != DIFFERENT], "known differences that are none"
