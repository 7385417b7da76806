"""Group and sum a directory of Parquet files: `python examples/seed_job.py [source]`."""

from __future__ import annotations

import sys
from typing import Any

from _data import orders
from rlm_hypervisor import RLMClient


def process_partition(partition: Any) -> Any:
    return partition.groupby("category")["value"].sum()


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else str(orders())
    with RLMClient() as client:
        run = client.submit(
            {
                "type": "parallel",
                "description": "Aggregate by category",
                "input": {"source": source, "operation": process_partition, "chunkSize": 10000},
            }
        )
        result = run.result()
        print(result)
        print(result.to_pandas().head())
        print(run.explain())


if __name__ == "__main__":
    main()
