"""pandas: the same function as ours, over tables read whole."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd
import pyarrow as pa
from _job import Job

from engines._base import Engine
from engines._suite import SuiteEngine


class Pandas(SuiteEngine):
    def versions(self) -> dict[str, str]:
        return {"pandas": pd.__version__}

    def ask(self, job: Job) -> Any:
        frames = [pd.read_parquet(directory) for directory in job.needs.values()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = job.function(*frames)
        return answer if isinstance(answer, pd.DataFrame) else pd.DataFrame({"answer": [answer]})

    def to_arrow(self, result: pd.DataFrame) -> pa.Table:
        return pa.Table.from_pandas(result, preserve_index=False)


ENGINE: type[Engine] = Pandas
