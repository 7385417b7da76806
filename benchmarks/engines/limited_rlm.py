"""RLM Hypervisor within the memory limit of the environment variable RLM_BENCH_LIMIT."""

from __future__ import annotations

import os

from engines._base import Engine
from engines.suite_rlm import Rlm


class LimitedRlm(Rlm):
    def __init__(self, threads: int) -> None:
        super().__init__(threads, memory_limit=os.environ["RLM_BENCH_LIMIT"])


ENGINE: type[Engine] = LimitedRlm
