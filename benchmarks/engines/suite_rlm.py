"""RLM Hypervisor: the pandas function of the question, `chunkSize` left to the engine."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import rlm_hypervisor
from _job import Job
from rlm_hypervisor import RLMClient

from engines._base import Engine
from engines._suite import SuiteEngine, one_value


class Rlm(SuiteEngine):
    def __init__(self, threads: int, **settings: Any) -> None:
        super().__init__(threads)
        self.client = RLMClient(threads=threads, **settings)

    def versions(self) -> dict[str, str]:
        return {"rlm-hypervisor": rlm_hypervisor.__version__}

    def ask(self, job: Job) -> pa.Table:
        function = job.function
        source, *others = job.needs.values()

        def operation(partition: Any) -> Any:
            return function(partition, *(self.client.table(other) for other in others))

        result = self.client.execute(
            {
                "type": "parallel",
                "description": function.__doc__,
                "input": {"source": source, "operation": operation},
            }
        )
        return result.to_arrow() if hasattr(result, "to_arrow") else one_value(result)

    def to_arrow(self, result: pa.Table) -> pa.Table:
        """The rows alone: the questions do not ask for the numbers of rows that pandas keeps as their index."""
        return result.drop_columns("index") if "index" in result.column_names else result

    def close(self) -> None:
        self.client.close()


ENGINE: type[Engine] = Rlm
