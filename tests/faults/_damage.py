"""Ways to damage a Parquet file, and the errors that are right for it."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient, RLMError

from tests.conftest import make_task


def small_file(path: Path, **columns: Any) -> Path:
    """A file with a checksum on every page; the given columns replace or join the usual ones."""
    usual = {"k": ["a", "b", "c", "a"] * 25, "x": [float(n) for n in range(100)], "i": list(range(100))}
    data = pa.table(usual | columns)
    pq.write_table(
        data, path, write_page_checksum=True, row_group_size=40, compression="none", use_dictionary=False
    )
    return path


def page_of(path: Path, column: str) -> tuple[int, int]:
    """Where the second row group keeps the column: offset and length."""
    group = pq.ParquetFile(path).metadata.row_group(1)
    chunk = next(
        group.column(n) for n in range(group.num_columns) if group.column(n).path_in_schema == column
    )
    return chunk.data_page_offset, chunk.total_compressed_size


def failure(client: RLMClient, source: Any, operation: Any, **more: Any) -> RLMError:
    """The error of running the operation over the source; nowhere in it is there talk of a panic."""
    with pytest.raises(RLMError) as caught:
        client.execute(make_task(source, operation, **more))
    text = "".join(traceback.format_exception(caught.value))
    assert not re.search(r"\bpanic", text), text
    assert caught.value.code != "INTERNAL", text
    return caught.value


def deep_file(path: Path, children: list[int]) -> Path:
    """A file of nothing but a footer, whose schema has these groups one after the other, each with so many children."""

    def varint(value: int) -> bytes:
        head = b""
        while value > 0x7F:
            head += bytes([value & 0x7F | 0x80])
            value >>= 7
        return head + bytes([value])

    def field(kind: int, value: int) -> bytes:
        """The next field, a whole number."""
        return bytes([0x10 | kind]) + varint(value << 1 ^ value >> 63)

    name = b"\x18\x01g"
    groups = [b"\x35\x04" + name + field(5, count) + b"\0" for count in children]
    leaf = field(5, 1) + field(5, 0) * 2 + b"\x18\x01x\0"
    schema = b"\x48\x01s" + field(5, 1) + b"\0" + b"".join(groups) + leaf
    footer = field(5, 1) + b"\x19\xfc" + varint(len(groups) + 2) + schema + field(6, 0) + b"\x19\x0c\0"
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return path
