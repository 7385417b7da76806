"""What the engines of the suites have in common: the whole answer as an Arrow table, in any order of rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import pyarrow as pa
from _job import Job

from engines._base import Engine


class SuiteEngine(Engine):
    """An engine that is asked questions of a suite instead of variants of the seed job."""

    @abstractmethod
    def ask(self, job: Job) -> Any:
        """The question, from the paths of the files to the whole answer in memory."""

    def execute(self, spec: Any) -> Any:
        return self.ask(spec)

    def answer(self, spec: Any) -> pa.Table:
        return self.to_arrow(self.ask(spec))


def one_value(value: Any) -> pa.Table:
    """A scalar answer as a table."""
    return pa.table({"answer": [value]})
