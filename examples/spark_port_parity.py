"""A ported PySpark job, and the check that it still gives the same answer.

python examples/spark_port_parity.py            compares with pandas
python examples/spark_port_parity.py --spark    compares with the original job (needs pyspark and Java)
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from _data import orders
from rlm_hypervisor import RLMClient


def original(source: str) -> pd.DataFrame:
    """The job as it was."""
    from pyspark.sql import SparkSession, functions as f  # pyright: ignore[reportMissingImports]

    spark = SparkSession.builder.master("local[*]").getOrCreate()
    frame = spark.read.parquet(source)
    answer = (
        frame.filter(frame["value"] > 0)
        .groupBy("category")
        .agg(f.sum("value").alias("total"), f.count("*").alias("orders"), f.max("quantity").alias("largest"))
    )
    return answer.toPandas()


def ported(partition: Any) -> Any:
    """The job as it is: Spark keeps a group for missing keys, so `dropna=False`."""
    return (
        partition[partition["value"] > 0]
        .groupby("category", dropna=False, as_index=False)
        .agg(total=("value", "sum"), orders=("value", "size"), largest=("quantity", "max"))
    )


def check(expected: pd.DataFrame, answer: pd.DataFrame) -> None:
    """Spark promises no order, so rows are matched by key. Integers are equal, sums of floats nearly so."""
    expected = expected.sort_values("category", ignore_index=True)
    answer = answer.sort_values("category", ignore_index=True)
    assert answer["category"].isna().tolist() == expected["category"].isna().tolist()
    assert answer["category"].dropna().tolist() == expected["category"].dropna().tolist()
    for column in ("orders", "largest"):
        assert answer[column].tolist() == expected[column].tolist(), column
    ours, theirs = answer["total"].to_numpy(), expected["total"].to_numpy()
    furthest = float(np.max(np.abs(ours - theirs) / np.abs(theirs)))
    assert furthest < 1e-9, f"a total is off by {furthest:.1e}"
    print(f"{len(answer)} groups agree; the totals within {furthest:.1e}")


def main() -> None:
    source = str(orders())
    expected = original(source) if "--spark" in sys.argv[1:] else ported(pd.read_parquet(source))
    with RLMClient() as client:
        answer = client.execute({"type": "parallel", "input": {"source": source, "operation": ported}})
    check(expected, answer.to_pandas())


if __name__ == "__main__":
    main()
