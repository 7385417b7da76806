"""PySpark on local cores: the data frame job of production, the answer as an Arrow table."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyspark
from _spec import Spec
from pyspark.sql import SparkSession, functions as f

from engines._base import Engine, Unavailable

FUNCTIONS = {"sum": f.sum, "mean": f.avg, "min": f.min, "max": f.max, "count": f.count}


class Spark(Engine):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
            raise Unavailable("PySpark needs Java, and there is none on the PATH")
        # In the driver's own scratch directory, which goes away even if this process is killed.
        self.scratch = tempfile.mkdtemp(prefix="spark-", dir=Path.cwd())
        self.session = (
            SparkSession.builder.master(f"local[{threads}]")
            .appName("rlm-hypervisor-benchmarks")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.memory", "8g")
            .config("spark.local.dir", self.scratch)
            .config("spark.sql.warehouse.dir", f"{self.scratch}/warehouse")
            # In Spark's favour: the default of 200 is meant for clusters.
            .config("spark.sql.shuffle.partitions", str(threads))
            # Answers of millions of groups pass through the driver.
            .config("spark.driver.maxResultSize", "0")
            .getOrCreate()
        )
        self.session.sparkContext.setLogLevel("ERROR")

    def versions(self) -> dict[str, str]:
        return {"pyspark": pyspark.__version__}

    def execute(self, spec: Spec) -> pa.Table:
        variant = spec.variant
        frame = self.session.read.parquet(spec.directory)
        if variant.above is not None:
            frame = frame.where(f.col("value") > variant.above)
        outputs = [
            FUNCTIONS[aggregate]("value").alias(output)
            for output, aggregate in zip(variant.outputs, variant.aggregates, strict=True)
        ]
        return frame.groupBy(*variant.keys).agg(*outputs).toArrow()

    def close(self) -> None:
        self.session.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)


ENGINE: type[Engine] = Spark
