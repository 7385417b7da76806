"""How a call is run: the payload read, the function called on each item, results and exceptions sent back."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from rlm_hypervisor._core import Secret, redact
from rlm_hypervisor.worker import context, programs, rows, trees
from rlm_hypervisor.worker.codec import dump, load
from rlm_hypervisor.worker.process import Process
from rlm_hypervisor.worker.rows import Encoded
from rlm_hypervisor.worker.threads import capture, send_written
from rlm_hypervisor.worker.warned import warned

FLUSH_SECONDS = 0.01
"""How long results wait at most while their call goes on: what a crash can lose."""

# More than is kept: the supervisor takes out all secrets it knows before it cuts.
_MESSAGE = 16_000
_TRACEBACK = 80_000


class AnyChannel(Protocol):
    """What takes messages."""

    def send(self, head: dict[str, Any], blobs: list[Any] | None = None) -> None:
        """Takes one."""


class AnyThread(Protocol):
    """A thread that may be told to end."""

    def check(self) -> None:
        """Raises if it was."""


class Server:
    """Runs calls, one after the other, with the functions that were sent.

    Args:
        channel: what results go to.
        thread: that it runs in, where the worker is not a process.
    """

    def __init__(self, channel: AnyChannel, thread: AnyThread | None = None) -> None:
        self._channel = channel
        self._thread = thread
        self._functions: dict[str, Any] = {}
        self._page: context.Page | None = None
        self._secrets: dict[str, Any] = {}
        self._encode: Callable[[list[int], list[Any]], tuple[list[Any], dict[str, Any]]] | None = None
        self._since = 0.0
        """When the call began, or last sent results."""
        self._pid = os.getpid()
        self._outputs = sys.stdout, sys.stderr
        self._process = Process() if thread is None else None
        self._made: Any = None
        """What the setup of the worker returned."""

    def serve_in(self, thread: AnyThread) -> None:
        """The next call runs in this thread."""
        self._thread = thread

    def knows(self, function: str, most: int) -> bool:
        """Whether a function was sent. Where it was not, and there are so many others, those are forgotten."""
        if function in self._functions:
            return True
        if len(self._functions) >= most:
            self._functions.clear()
        return False

    def start(self, page: Any) -> None:
        """Takes the page that the supervisor reads."""
        self._page = context.Page(page)

    def set_up(self, head: dict[str, Any], blobs: list[Any]) -> tuple[dict[str, Any], list[bytes]]:
        """Does what comes before the first call; what is said of it."""
        if self._process is not None:
            modules = head.get("modules", ())
            # What is missing or broken is for calls that need it to say.
            for module in modules:
                with contextlib.suppress(Exception):
                    importlib.import_module(module)
            if "pandas" in modules:
                with contextlib.suppress(Exception):
                    rows.rehearse()
        pickles: list[bytes] = []
        if blobs:
            try:
                self._made = load(bytes(blobs[0]))()
            except BaseException as error:
                if self._thread is not None:
                    self._thread.check()
                return {"t": "unready", "failure": failure_of(0, error, pickles)}, pickles
            finally:
                if os.getpid() != self._pid:
                    # A forked child that came back from it.
                    os._exit(0)
            if self._process is not None:
                # Calls find the process as it was left.
                self._process = Process()
                self._outputs = sys.stdout, sys.stderr
        return {"t": "ready"}, pickles

    def function(self, head: dict[str, Any], blob: Any) -> None:
        """Keeps a function; it is unpickled when it is first called, so that an error has its call."""
        self._functions[head["id"]] = bytes(blob)

    def secrets(self, blob: Any) -> None:
        """Takes what the operation of the next call may read."""
        self._secrets = {name: Secret(value, name) for name, value in json.loads(bytes(blob)).items()}

    def call(self, head: dict[str, Any], blobs: list[Any]) -> None:
        """Runs a call and sends all of its results."""
        assert self._page is not None
        current = context.Current(head, self._page, self._channel)
        current.secrets, self._secrets = self._secrets, {}
        current.setup = self._made
        context.begin(current, self._thread is not None)
        if self._process is None:
            try:
                with capture:
                    self._call(head, blobs, current, self._page)
            finally:
                context.begin(None, True)
            return
        # What earlier calls put in their place is not this call's.
        sys.stdout, sys.stderr = self._outputs
        if not self._process.before(head["function"]):
            # Nothing of it has begun: the supervisor gives it to another one.
            os._exit(0)
        self._call(head, blobs, current, self._page)
        context.begin(None, False)
        if not self._process.after(head["function"]):
            # The supervisor starts another one for the next call.
            os._exit(0)

    def _call(
        self, head: dict[str, Any], blobs: list[Any], current: context.Current, page: context.Page
    ) -> None:
        self._since = time.monotonic()
        call, start, stop = head["call"], head["from"], head["to"]
        page.at(call, context.LOADING)
        self._encode = None
        try:
            function = self._function(head["function"])
            page.at(call, start)
            items = _items(head, blobs)
        except BaseException as error:
            self._broken(call, start, stop, error)
            return
        if isinstance(function, programs.Prepared) and (unready := self._prepared(function)) is not None:
            self._broken(call, start, stop, unready, setup=True)
            return
        self._encode = function.encode if isinstance(function, programs.Encoding) else None
        results: list[Any] = []
        failed: list[dict[str, Any]] = []
        pickles: list[bytes] = []
        soft = None if head.get("soft_ms") is None else warned(head["soft_ms"], self._thread is not None)
        careful = head.get("careful", False)
        sent = start
        page.reached(call)
        for place in range(start, stop):
            if self._thread is not None:
                self._thread.check()
            page.at(call, place)
            current.at(place)
            try:
                if soft is None:
                    results.append(function(items[place]))
                else:
                    results.append(soft(function, items[place]))
            except BaseException as error:
                if self._thread is not None:
                    self._thread.check()
                failed.append(failure_of(place, error, pickles))
                failed[-1]["setup"] = current.unready is error
            if os.getpid() != self._pid:
                # A forked child that came back from the function: the rest is its parent's to do.
                os._exit(0)
            late = time.monotonic() - self._since > FLUSH_SECONDS
            if place + 1 < stop and (careful or late):
                self._send(call, sent, place + 1, False, results, failed, pickles)
                results, failed, pickles, sent = [], [], [], place + 1
        self._send(call, sent, stop, True, results, failed, pickles)

    def _function(self, name: str) -> Any:
        found = self._functions[name]
        if isinstance(found, bytes):
            found = self._functions[name] = load(found)
        return found

    def _send(
        self,
        call: int,
        start: int,
        stop: int,
        last: bool,
        results: list[Any],
        failed: list[dict[str, Any]],
        pickles: list[bytes],
    ) -> None:
        more = None
        if stop - start > 1 and self._page is not None:
            # One of them may end the process here, and nobody would know which.
            self._page.at(call, context.PACKING)
        if self._encode is not None and results:
            gone = {failure["item"] for failure in failed}
            try:
                packed, more = self._encode([p for p in range(start, stop) if p not in gone], results)
            except BaseException as error:
                # What all of them make together cannot be sent: that is every one's failure.
                failed += [
                    failure_of(p, error, pickles, retryable=False)
                    for p in range(start, stop)
                    if p not in gone
                ]
                failed.sort(key=lambda failure: failure["item"])
                packed = []
        elif len(results) == 1 and isinstance(results[0], Encoded):
            packed, more = results[0].blobs, results[0].more
        else:
            try:
                packed = [dump(results)]
            except BaseException:
                packed = [self._one_by_one(start, stop, results, failed, pickles)]
        for failure in failed:
            if failure["blob"] is not None:
                failure["blob"] += len(packed)
        now = time.monotonic()
        took, self._since = round((now - self._since) * 1e6), now
        head = {
            "t": "part",
            "call": call,
            "from": start,
            "to": stop,
            "last": last,
            "failed": failed,
            "us": took,
        }
        if more is not None:
            head["more"] = more
        if self._thread is None:
            _flush()
        else:
            self._thread.check()
            current = context.of_thread()
            if current is not None:
                send_written(current)
        self._channel.send(head, [*packed, *pickles])

    def _one_by_one(
        self, start: int, stop: int, results: list[Any], failed: list[dict[str, Any]], pickles: list[bytes]
    ) -> bytes:
        """Some result cannot be pickled: its item fails, and no other."""
        gone = {failure["item"] for failure in failed}
        kept = []
        for place, result in zip((p for p in range(start, stop) if p not in gone), results, strict=True):
            try:
                dump(result)
            except BaseException as error:
                text = f"the result, a {type(result).__name__}, cannot be sent back: {_text(error)}"
                failed.append(failure_of(place, TypeError(text), pickles, retryable=False))
            else:
                kept.append(result)
        failed.sort(key=lambda failure: failure["item"])
        return dump(kept)

    def _prepared(self, function: programs.Prepared) -> BaseException | None:
        """Makes a function ready for its first item, which has its time from then on; what that raised."""
        unready = None
        try:
            function.prepare()
        except BaseException as error:
            if self._thread is not None:
                self._thread.check()
            unready = error
        if os.getpid() != self._pid:
            # A forked child that came back from it.
            os._exit(0)
        return unready

    def _broken(self, call: int, start: int, stop: int, error: BaseException, setup: bool = False) -> None:
        """Function or items could not be read, or the setup failed: nothing ran."""
        pickles: list[bytes] = []
        retryable = None if setup else False
        failed = [failure_of(place, error, pickles, retryable) for place in range(start, stop)]
        for failure in failed:
            failure["setup"] = setup
        self._send(call, start, stop, True, [], failed, pickles)


def _items(head: dict[str, Any], blobs: list[Any]) -> Any:
    """The items of a call's payload."""
    kind = head["kind"]
    if kind in ("items", "map"):
        return pickle.loads(blobs[0])
    if kind in ("rows", "map_rows"):
        return [(blobs[0], head["more"])]
    if kind == "batch" and "piece" in (head.get("more") or {}):
        first, last = head["more"]["piece"]
        return [pickle.loads(blobs[0])[first:last]]
    if kind == "tree":
        return trees.jobs(head["more"], blobs)
    if kind == "joined" or (kind == "then" and "part" in head["more"]):
        return [blobs]
    if kind == "then":
        values = _in_order(head["more"]["parts"], blobs)
        return [(values, head["more"]["final"])] if "final" in head["more"] else [values]
    return [pickle.loads(blobs[0])]


def _in_order(parts: list[dict[str, Any]], blobs: list[Any]) -> list[Any]:
    """The results of all parts, in the order of their items."""
    values: list[Any] = []
    numbers: list[int] = []
    place = 0
    for part in parts:
        # Exceptions of items that failed lie behind the results.
        values += pickle.loads(blobs[place])
        place += part["blobs"]
        if "first" in part:
            gone = set(part["failed"])
            items = range(part["first"], part["first"] + part["count"])
            numbers += [item for item in items if item not in gone]
    if numbers:
        # What was tried again comes in a part of its own, from the middle of another one.
        values = [values[at] for at in sorted(range(len(values)), key=numbers.__getitem__)]
    return values


def _sendable(text: str) -> str:
    """Text without halves of characters, which JSON can carry but UTF-8 cannot."""
    return text.encode("utf-8", "backslashreplace").decode()


def _text(error: BaseException) -> str:
    try:
        return _sendable(redact(_sendable(str(error)))[:_MESSAGE])
    except BaseException:
        return "an exception whose text raises another one"


def failure_of(
    place: int, error: BaseException, pickles: list[bytes], retryable: bool | None = None
) -> dict[str, Any]:
    """What is told of an exception; itself too, where it can be pickled and read again."""
    try:
        return _told(place, error, pickles, retryable)
    except BaseException:
        # Even to be asked for its type raises.
        return {
            "item": place,
            "type": "Exception",
            "message": "an exception that cannot be described",
            "traceback": "",
            "retryable": False,
            "blob": None,
        }


def _told(place: int, error: BaseException, pickles: list[bytes], retryable: bool | None) -> dict[str, Any]:
    if retryable is None:
        retryable = isinstance(error, Exception) and bool(_attribute(error, "retryable", True))
    blob = None
    with contextlib.suppress(BaseException):
        packed = dump(error)
        pickle.loads(packed)
        blob = len(pickles)
        pickles.append(packed)
    try:
        lines = traceback.format_exception(type(error), error, _users(error))
        text = redact(_sendable("".join(lines)))[-_TRACEBACK:]
    except BaseException:
        text = ""
    code = _attribute(error, "code", None)
    return {
        "item": place,
        "type": _sendable(type(error).__name__),
        "classes": _classes(error),
        "message": _text(error),
        "traceback": text,
        "retryable": retryable,
        "code": code if isinstance(code, str) and _is_ours(error) else None,
        "blob": blob,
    }


def _classes(error: BaseException) -> list[str]:
    """The names of the exception's classes, the nearest first, with and without their modules."""
    found: list[str] = []
    for one in type(error).__mro__[:-1]:
        found += [_sendable(one.__name__), _sendable(f"{one.__module__}.{one.__qualname__}")]
    return found


def _attribute(error: BaseException, name: str, default: Any) -> Any:
    try:
        return getattr(error, name, default)
    except BaseException:
        return default


def _is_ours(error: BaseException) -> bool:
    from rlm_hypervisor.errors import RLMError

    return isinstance(error, RLMError)


def _users(error: BaseException) -> Any:
    """The traceback without the frames of this file."""
    found = error.__traceback__
    while found is not None and found.tb_frame.f_code.co_filename == __file__:
        found = found.tb_next
    return found


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # They may be the user's own.
        with contextlib.suppress(BaseException):
            stream.flush()
