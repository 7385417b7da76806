"""Documents that were checked before have the same normal form as if they were checked again."""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, RLMClient, _core
from rlm_hypervisor._checked import Checked
from rlm_hypervisor.errors import RLMError
from rlm_hypervisor.operations import Operations
from rlm_hypervisor.packing import pack
from rlm_hypervisor.worker.programs import Handler

values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=3),
    st.dictionaries(st.sampled_from(["a", "items", "source", "operation"]), st.integers(0, 2), max_size=2),
    st.lists(st.integers(0, 1), max_size=2),
)  # fmt: skip
documents = st.fixed_dictionaries(
    {"type": st.sampled_from(["sequential", "recursive", "parallel", "nothing"])},
    optional={
        "operation": st.sampled_from(["one", "two", "three"]),
        "description": st.sampled_from(["one", "does two", ""]),
        "input": values,
        "options": st.dictionaries(st.sampled_from(["retries", "timeoutMs", "wrong"]), st.integers(0, 3)),
    },
)


def _told(check: Any, *given: Any) -> Any:
    try:
        return repr(check(*given))
    except (RLMError, TypeError, UnicodeEncodeError) as error:
        return type(error), str(error)


@given(found=st.lists(documents, min_size=1, max_size=12), late=st.integers(0, 12))
@settings(max_examples=80, deadline=None)
def test_what_is_known_is_what_would_be_found(found: list[dict[str, Any]], late: int) -> None:
    operations = Operations()
    operations.add(abs, "one", "does one")
    checked = Checked(operations)
    for number, document in enumerate([*found, *found]):
        if number == late:
            operations.add(abs, "two", "does two")
        registered = list(operations.descriptions().items())
        assert _told(checked.spec, document) == _told(_core.parse_task, document, registered)


def test_a_function_that_changes_is_packed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "packed_module.py"
    file.write_text("def f(x):\n    return x + 1\n")
    module = importlib.import_module("packed_module")
    first = pack(Handler(module.f))
    assert pack(Handler(module.f)) is first and pack(module.f) != first
    # Another path is told to workers as well.
    monkeypatch.syspath_prepend(str(tmp_path / "more"))
    assert pickle.loads(pack(Handler(module.f)))[0] == sys.path
    old = module.f
    module.f = lambda x: x + 2
    assert pickle.loads(pickle.loads(pack(Handler(old)))[1])(1) == 2
    assert pickle.loads(pickle.loads(pack(Handler(module.f)))[1])(1) == 3


def test_what_a_function_closes_over_is_as_it_is_now() -> None:
    held = [1]

    def read(_: Any) -> int:
        return held[0]

    with RLMClient(workers=1) as client:
        task = {"type": "sequential", "operation": read, "input": None}
        assert client.execute(task) == 1
        held[0] = 2
        assert client.execute(task) == 2
        with pytest.raises(InvalidTaskError):
            client.execute({**task, "options": {"retries": -1}})
