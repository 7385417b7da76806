"""What a worker and user code know of the call that runs: the shared page, and `current_task()`."""

from __future__ import annotations

import struct
import threading
import time
from typing import Any

_WORDS = struct.Struct("<QQ")
_WORD = struct.Struct("<Q")
# Where the parts of the page lie; `src/worker/shared.rs` has the same numbers.
_STOP = 16
_REACHED = 24
PAGE = 32
"""Bytes of the page."""
LOADING = (1 << 64) - 2
"""The item of a worker that loads the function of its call."""
PACKING = (1 << 64) - 1
"""The item that a worker is at while it packs results of several."""


class Page:
    """The page that the supervisor reads when the worker is dead, and writes when a call is to stop."""

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    def at(self, call: int, item: int) -> None:
        """Notes which item of which call is about to run."""
        _WORDS.pack_into(self._memory, 0, call, item)

    def reached(self, call: int) -> None:
        """Notes that the first item of a call is about to run, and all is there that it needs."""
        _WORD.pack_into(self._memory, _REACHED, call)

    def asked_to_stop(self, call: int) -> bool:
        """Whether the supervisor wants this call to stop."""
        return bool(_WORD.unpack_from(self._memory, _STOP)[0] == call)


class Current:
    """The call that runs in this worker."""

    def __init__(self, head: dict[str, Any], page: Page, channel: Any) -> None:
        self.run: str = head["run"]
        self.call: int = head["call"]
        self.first: int = head["first"]
        self.attempt: int = head["attempt"]
        left = head.get("left_ms")
        self.deadline = None if left is None else time.monotonic() + left / 1000
        # Of a chunk that was cut: the first row of the part that this is.
        self.part: int = ((head.get("more") or {}).get("piece") or (0,))[0]
        self._item_ms: int | None = head.get("item_ms")
        self._item_began = time.monotonic()
        self.item = head["first"] + head["from"]
        self.page = page
        self.channel = channel
        self.secrets: dict[str, Any] = {}
        """What the operation may read, by name."""
        self.written: list[tuple[str, str]] = []
        """Of a call in a thread: what it wrote, and to which output, that was not sent yet."""
        self.setup: Any = None
        """What the worker's own setup returned."""
        self.unready: BaseException | None = None
        """What the operation's setup raised."""

    def at(self, place: int) -> None:
        """An item is about to run."""
        self.item = self.first + place
        if self._item_ms is not None:
            self._item_began = time.monotonic()

    def nearest(self) -> float | None:
        """When the run's deadline is, or the item's own, if that is sooner."""
        if self._item_ms is None:
            return self.deadline
        own = self._item_began + self._item_ms / 1000
        return own if self.deadline is None else min(own, self.deadline)


_current: Current | None = None
_local = threading.local()


def begin(call: Current | None, in_thread: bool) -> None:
    """This call runs from now on, or none: in the process, or in this thread of it."""
    global _current
    if in_thread:
        _local.current = call
    else:
        _current = call


def of_thread() -> Current | None:
    """The call that runs in this thread, where threads are the workers."""
    return getattr(_local, "current", None)


def now() -> Current | None:
    """The call that runs here now."""
    return of_thread() or _current


class HandlerContext:
    """What an AWS Lambda handler asks its second argument for."""

    def __init__(self, name: str) -> None:
        current = now()
        assert current is not None
        self._current = current
        self.function_name = name
        self.function_version = "$LATEST"
        self.invoked_function_arn = f"arn:aws:lambda:local:000000000000:function:{name}"
        self.memory_limit_in_mb = "0"
        self.aws_request_id = current.run
        self.log_group_name = f"/rlm-hypervisor/{name}"
        self.log_stream_name = current.run
        self.identity = None
        self.client_context = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the run's deadline; of a run without one, those of a day."""
        if self._current.deadline is None:
            return 24 * 3600 * 1000
        return max(int((self._current.deadline - time.monotonic()) * 1000), 0)
