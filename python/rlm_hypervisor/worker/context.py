"""What a worker and user code know of the call that runs: the shared page, and `current_task()`."""

from __future__ import annotations

import struct
import time
from typing import Any

_WORDS = struct.Struct("<QQ")
_WORD = struct.Struct("<Q")
# Where the parts of the page lie; `src/worker/shared.rs` has the same numbers.
_STOP = 16


class Page:
    """The page that the supervisor reads when the worker is dead, and writes when a call is to stop."""

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    def at(self, call: int, item: int) -> None:
        """Notes which item of which call is about to run."""
        _WORDS.pack_into(self._memory, 0, call, item)

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
        self.item = head["first"] + head["from"]
        self.page = page
        self.channel = channel
        self.secrets: dict[str, Any] = {}
        """What the operation may read, by name."""


current: Current | None = None
"""The call that runs now."""


class HandlerContext:
    """What an AWS Lambda handler asks its second argument for."""

    def __init__(self, name: str) -> None:
        assert current is not None
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
        if current is None or current.deadline is None:
            return 24 * 3600 * 1000
        return max(int((current.deadline - time.monotonic()) * 1000), 0)
