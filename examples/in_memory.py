"""The same function over a file, pandas, Polars and Arrow data: anything with an Arrow capsule is a source."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
from _data import orders
from rlm_hypervisor import RLMClient


def by_region(partition: Any) -> Any:
    return partition.groupby("region")["quantity"].sum()


def main() -> None:
    file = orders() / "part-0.parquet"
    sources = {
        "Parquet": str(file),
        "pandas": pd.read_parquet(file),
        "Polars": pl.read_parquet(file),
        "Arrow": pq.read_table(file),
    }
    with RLMClient() as client:
        for name, source in sources.items():
            answer = client.execute({"type": "parallel", "input": {"source": source, "operation": by_region}})
            print(f"{name:8} {answer.to_pandas().to_dict()}")


if __name__ == "__main__":
    main()
