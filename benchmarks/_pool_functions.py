"""What is called in the workers of all pools, ours and the peers'."""

from __future__ import annotations

import os
from typing import Any


def noop(item: Any) -> None:
    """Nothing."""


def work(frame: Any) -> Any:
    """Text and float work of pandas, row by row."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame(frame)
    frame["name"] = frame["name"].str.upper().str.replace("A", "-", regex=False)
    frame["value"] = np.sqrt(frame["value"].abs()) * 2 + frame["value"].round(1)
    return frame[frame["value"] > 0.5]


if "RLM_BENCH_REDIS" in os.environ:
    from celery import Celery

    app = Celery("bench", broker=os.environ["RLM_BENCH_REDIS"], backend=os.environ["RLM_BENCH_REDIS"])
    app.conf.update(worker_prefetch_multiplier=4, result_expires=60, broker_connection_retry_on_startup=True)

    @app.task
    def called(name: str, given: Any, many: bool = False) -> Any:
        """A function of this module, on a value or on each of a list of them."""
        function = {"noop": noop, "abs": abs}[name]
        return [function(one) for one in given] if many else function(given)
