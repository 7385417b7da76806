"""RLM Hypervisor: the seed job as the README shows it, `chunkSize` left to the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pyarrow as pa
import rlm_hypervisor
from _spec import Spec
from rlm_hypervisor import RLMClient

from engines._base import Engine


def seed(partition: Any) -> Any:
    return partition.groupby("category")["value"].sum()


def filtered(partition: Any) -> Any:
    return partition[partition["value"] > 0.5].groupby("category")["value"].sum()


def two_keys(partition: Any) -> Any:
    return partition.groupby(["category", "region"])["value"].sum()


def five_aggregates(partition: Any) -> Any:
    return partition.groupby("category")["value"].agg(["sum", "mean", "min", "max", "count"])


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    operation.__name__: operation for operation in (seed, filtered, two_keys, five_aggregates)
}


class Rlm(Engine):
    chunk_size: ClassVar[int | str] = "auto"

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.client = RLMClient(threads=threads)

    def versions(self) -> dict[str, str]:
        return {"rlm-hypervisor": rlm_hypervisor.__version__}

    def execute(self, spec: Spec) -> pa.Table:
        result = self.client.execute(
            {
                "type": "parallel",
                "description": "Aggregate by category",
                "input": {
                    "source": spec.directory,
                    "operation": OPERATIONS[spec.variant_name],
                    "chunkSize": self.chunk_size,
                },
            }
        )
        # Part of what is timed: nobody can say that the answer was not there yet.
        return result.to_arrow()

    def close(self) -> None:
        self.client.close()


ENGINE: type[Engine] = Rlm
