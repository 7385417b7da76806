"""Exceptions of signal handlers while a source is opened: they come out as they are."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from rlm_hypervisor import InvalidTaskError, RLMClient, SourceUnreadableError

from tests.conftest import make_task


class Alarm(Exception):
    """What the handlers here raise."""


def raises(*_: Any) -> None:
    raise Alarm


class Handler:
    """One that has its handler as a method, and one that is called itself."""

    def method(self, *_: Any) -> None:
        raises()

    def __call__(self, *_: Any) -> None:
        raise Alarm


class Interrupted:
    """A table during whose conversion a signal comes."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        signal.raise_signal(signal.SIGUSR1)
        return pa.table({"v": [1]}).__arrow_c_stream__(requested_schema)


class Broken:
    """A table whose conversion fails by itself."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise Alarm


HANDLERS: list[Callable[..., None]] = [
    raises,
    Handler().method,
    Handler(),
    functools.partial(raises, 1),
    signal.default_int_handler,
]


@pytest.fixture
def handled() -> Iterator[Callable[[Any], Any]]:
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("handler", HANDLERS, ids=["function", "method", "object", "partial", "interrupt"])
def test_what_a_handler_raises_comes_out(client: RLMClient, handled: Any, handler: Any) -> None:
    handled(handler)
    kind = KeyboardInterrupt if handler is signal.default_int_handler else Alarm
    with pytest.raises(kind):
        client.execute(make_task(Interrupted(), lambda p: p))
    with pytest.raises(kind):
        client.execute(make_task(iter([Interrupted()]), lambda p: p))

    def tables() -> Iterator[pd.DataFrame]:
        signal.raise_signal(signal.SIGUSR1)
        yield pd.DataFrame({"v": [1]})

    with pytest.raises(kind):
        client.execute(make_task(tables(), lambda p: p))

    def operation(partition: Any) -> Any:
        signal.raise_signal(signal.SIGUSR1)
        return partition

    with pytest.raises(kind):
        client.execute(make_task(pd.DataFrame({"v": [1]}), operation))


def test_what_a_conversion_raises_is_told_as_such(client: RLMClient, handled: Any) -> None:
    handled(Handler())
    with pytest.raises(InvalidTaskError, match="cannot be taken as a table") as error:
        client.execute(make_task(Broken(), lambda p: p))
    assert isinstance(error.value.__cause__, Alarm)

    def tables() -> Iterator[pd.DataFrame]:
        yield from map(raises, [1])

    with pytest.raises(SourceUnreadableError, match="raised Alarm"):
        client.execute(make_task(tables(), lambda p: p))
