"""RLM Hypervisor with the seed job's own chunkSize of 10,000 rows."""

from __future__ import annotations

from typing import ClassVar

from engines._base import Engine
from engines.rlm import Rlm


class RlmInChunks(Rlm):
    chunk_size: ClassVar[int | str] = 10_000


ENGINE: type[Engine] = RlmInChunks
