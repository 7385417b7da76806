"""pandas: the needed columns read whole, then the same groupby that our operation writes."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
from _spec import Spec

from engines._base import Engine


class Pandas(Engine):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        pa.set_cpu_count(threads)
        pa.set_io_thread_count(threads)

    def versions(self) -> dict[str, str]:
        return {"pandas": pd.__version__, "pyarrow": pa.__version__}

    def execute(self, spec: Spec) -> pd.Series | pd.DataFrame:
        variant = spec.variant
        frame = pd.read_parquet(spec.directory, columns=variant.columns)
        if variant.above is not None:
            frame = frame[frame["value"] > variant.above]
        grouped = frame.groupby(list(variant.keys))["value"]
        if variant.aggregates == ("sum",):
            return grouped.sum()
        return grouped.agg(list(variant.aggregates))

    def to_arrow(self, result: pd.Series | pd.DataFrame) -> pa.Table:
        return pa.Table.from_pandas(result.reset_index(), preserve_index=False)

    def release(self) -> None:
        pa.default_memory_pool().release_unused()


ENGINE: type[Engine] = Pandas
