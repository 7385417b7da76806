"""What every adapter implements, and the one form in which answers are compared."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from _spec import REGIONS, Spec, Variant


class Unavailable(Exception):
    """The engine, or the part of it that is needed, is not installed here."""


class Engine(ABC):
    """One engine inside its own process. `execute` is what is timed."""

    answers: ClassVar[bool] = True
    """False where there is nothing to compare: the physical limits."""

    def __init__(self, threads: int) -> None:
        """Sets up what a program sets up once: sessions, connections, thread pools."""
        self.threads = threads

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """The versions of what is measured."""

    def prepare(self, spec: Spec) -> None:
        """Untimed work before a case. Must not touch the data's rows."""
        del spec

    @abstractmethod
    def execute(self, spec: Spec) -> Any:
        """The job, from the path of the files to the whole answer in memory."""

    def to_arrow(self, result: Any) -> pa.Table:
        """The answer as Arrow, key columns and outputs by name, in any row order."""
        return result

    def run(self, spec: Spec) -> tuple[float, Any]:
        """Seconds of one execution, and its result."""
        started = time.perf_counter()
        result = self.execute(spec)
        return time.perf_counter() - started, result

    def answer(self, spec: Spec) -> pa.Table:
        """The answer in the form that is compared: plain types, sorted by keys."""
        return canonical(self.to_arrow(self.execute(spec)), spec.variant)

    def release(self) -> None:  # noqa: B027 - most engines cache nothing
        """Returns memory that the last execution left cached, so that nobody is crowded."""

    def close(self) -> None:  # noqa: B027 - most engines start nothing
        """Stops what `__init__` started."""


def source_files(spec: Spec) -> str:
    """The input as a glob, for engines that want one."""
    return str(Path(spec.directory) / "*.parquet")


def canonical(table: pa.Table, variant: Variant) -> pa.Table:
    """Plain strings, float64 and int64, sorted by keys: types change, values never."""
    columns: dict[str, pa.ChunkedArray] = {}
    for name in variant.keys:
        columns[name] = _plain_strings(table.column(name))
    for name in variant.outputs:
        target = pa.int64() if name == "count" else pa.float64()
        columns[name] = table.column(name).cast(target)
    plain = pa.table(columns).combine_chunks()
    numbers = _key_numbers(plain, variant)
    if numbers is None:
        return plain.sort_by([(name, "ascending") for name in variant.keys])
    return plain.take(pa.array(np.argsort(numbers, kind="stable")))


def _plain_strings(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string())


def _key_numbers(table: pa.Table, variant: Variant) -> npt.NDArray[np.int64] | None:
    """Numbers that sort as the generated keys do, only faster; None if one is foreign."""
    category = table.column("category")
    if not pc.all(pc.match_substring_regex(category, "^id[0-9]{1,18}$"), min_count=0).as_py():
        return None
    numbers: npt.NDArray[np.int64] = pc.utf8_slice_codeunits(category, 2).cast(pa.int64()).to_numpy()
    if "region" not in variant.keys:
        return numbers
    regions = pc.index_in(table.column("region"), value_set=pa.array(REGIONS))
    if regions.null_count:
        return None
    combined: npt.NDArray[np.int64] = numbers * len(REGIONS) + regions.to_numpy()
    return combined
