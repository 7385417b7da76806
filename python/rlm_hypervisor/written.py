"""Written: what a task with an `output` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlm_hypervisor import _core

__all__ = ["Written", "WrittenFile"]


@dataclass(frozen=True)
class WrittenFile:
    """One file: its path, rows and bytes."""

    path: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Written:
    """The answer of a task whose `output` says where the rows go: the files they went to, in the order of the rows.

    >>> import os, tempfile
    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"v": [1, 2, 3]})
    >>> path = os.path.join(tempfile.mkdtemp(), "out.parquet")
    >>> def large(p):
    ...     return p[p["v"] > 1]
    >>> task = {"type": "parallel", "input": {"source": data, "operation": large}, "output": path}
    >>> written = RLMClient().execute(task)
    >>> written.rows, len(written.files)
    (2, 1)
    """

    url: str
    """Where it was to be written, as the task says it."""
    files: tuple[WrittenFile, ...]
    """The files, in the order of their rows; none where `skipped`."""
    skipped: bool = False
    """Whether nothing was done because something was there already (`mode: "ignore"`)."""

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files)

    def __repr__(self) -> str:
        if self.skipped:
            return _core.redact(f"<Written nothing: {self.url!r} was there already>")
        files = f"{len(self.files):,} file{'' if len(self.files) == 1 else 's'}"
        return _core.redact(f"<Written {self.rows:,} rows, {self.bytes:,} bytes in {files} to {self.url!r}>")

    @classmethod
    def _of(cls, found: Mapping[str, Any]) -> Written:
        files = tuple(WrittenFile(**file) for file in found["files"])
        return cls(found["url"], files, found["skipped"])
