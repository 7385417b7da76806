"""pyarrow alone: a dataset streamed through Acero, so that the rows are never all in memory."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from _spec import Spec
from pyarrow import acero

from engines._base import Engine


class PyArrow(Engine):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        pa.set_cpu_count(threads)
        pa.set_io_thread_count(threads)

    def versions(self) -> dict[str, str]:
        return {"pyarrow": pa.__version__}

    def execute(self, spec: Spec) -> pa.Table:
        variant = spec.variant
        condition = None if variant.above is None else pc.field("value") > variant.above
        nodes = [
            acero.Declaration(
                "scan",
                acero.ScanNodeOptions(
                    ds.dataset(spec.directory, format="parquet"),
                    columns=variant.columns,
                    filter=condition,
                ),
            )
        ]
        if condition is not None:
            nodes.append(acero.Declaration("filter", acero.FilterNodeOptions(condition)))
        columns = [pc.field(name) for name in variant.columns]
        nodes.append(acero.Declaration("project", acero.ProjectNodeOptions(columns, variant.columns)))
        outputs = [
            ("value", f"hash_{aggregate}", None, output)
            for output, aggregate in zip(variant.outputs, variant.aggregates, strict=True)
        ]
        nodes.append(
            acero.Declaration("aggregate", acero.AggregateNodeOptions(outputs, keys=list(variant.keys)))
        )
        return acero.Declaration.from_sequence(nodes).to_table(use_threads=True)

    def release(self) -> None:
        pa.default_memory_pool().release_unused()


ENGINE: type[Engine] = PyArrow
