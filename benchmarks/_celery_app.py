"""The application of Celery's workers; where its messages go is said in the environment."""

from __future__ import annotations

import os
from typing import Any

from _pool_functions import absolute, noop
from celery import Celery

app = Celery("bench", broker=os.environ["RLM_BENCH_REDIS"], backend=os.environ["RLM_BENCH_REDIS"])
app.conf.update(worker_prefetch_multiplier=4, result_expires=60, broker_connection_retry_on_startup=True)


@app.task
def called(name: str, given: Any, many: bool = False) -> Any:
    """A function by its name, on a value or on each of a list of them."""
    function: Any = {"noop": noop, "absolute": absolute}[name]
    return [function(one) for one in given] if many else function(given)
