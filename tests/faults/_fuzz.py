"""Damages files of every format at random and reads them: `python -m tests.faults._fuzz <seconds> [seed]`.

Whatever a file holds, there is an answer or an error of ours that names it: never a panic, never a hang, and no more
memory than the client may use. A case that breaks this is kept, and its number and seed are printed.
"""

from __future__ import annotations

import bz2
import gzip
import io
import math
import random
import resource
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import lz4.block
import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import snappy
import zstandard
from rlm_hypervisor import RLMClient, RLMError

from tests.conftest import make_task
from tests.io.test_formats import hadoop

MEMORY = 300_000_000
MOST = 2_000_000_000
"""Bytes that the process may have held at most: the client's, the interpreter and its libraries."""


def _table() -> pa.Table:
    at = range(60)
    return pa.table(
        {
            "k": [f"k{n % 5}" for n in at],
            "x": [None if n % 7 == 0 else n / 4 for n in at],
            "i": list(at),
            "s": [f'text "{n}", é' for n in at],
        }
    )


def _nested() -> pa.Table:
    at = range(60)
    return pa.table(
        {
            "k": pa.array([f"k{n % 5}" for n in at]).dictionary_encode(),
            "x": pa.array([None if n % 7 == 0 else n / 4 for n in at]),
            "i": list(at),
            "s": [f"text number {n}" for n in at],
            "l": [[n] * (n % 4) if n % 5 else None for n in at],
            "m": [{"a": n, "b": [str(n)]} for n in at],
            "d": pa.array([None if n % 3 == 0 else n for n in at], pa.decimal128(20, 3)),
            "v": pa.array([f"a longer text that is no short view {n}" for n in at], pa.string_view()),
        }
    )


def _parquet(data: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(data, file, row_group_size=25, **options)
    return file.getvalue()


def _arrow(data: pa.Table, kind: Any, compression: str | None = None) -> bytes:
    file = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with kind(file, data.schema, options=options) as writer:
        writer.write_table(data, max_chunksize=13)
    return file.getvalue()


def _avro(data: pa.Table, codec: str) -> bytes:
    fields = [
        {"name": name, "type": ["null", kind]}
        for name, kind in {"k": "string", "x": "double", "i": "long", "s": "string"}.items()
    ]
    file = io.BytesIO()
    fastavro.writer(
        file,
        {"type": "record", "name": "r", "fields": fields},
        data.to_pylist(),
        codec=codec,
        sync_interval=300,
    )
    return file.getvalue()


def goods() -> dict[str, bytes]:
    """A sound file of each format and compression, by its name."""
    data, nested = _table(), _nested()
    csv = data.to_pandas().to_csv(index=False).encode()
    lines = data.to_pandas().to_json(orient="records", lines=True).encode()
    return {
        "a.parquet": _parquet(nested, compression="zstd", data_page_version="2.0"),
        "b.parquet": _parquet(nested, compression="none", use_dictionary=False),
        "c.parquet": _parquet(
            data.append_column("t", pa.array(range(60), pa.timestamp("s"))),
            use_deprecated_int96_timestamps=True,
        ),
        "a.arrow": _arrow(nested, pa.ipc.new_file),
        "b.arrow": _arrow(nested, pa.ipc.new_file, "zstd"),
        "c.arrow": _arrow(nested, pa.ipc.new_file, "lz4"),
        "a.arrows": _arrow(nested, pa.ipc.new_stream),
        "a.avro": _avro(data, "null"),
        "b.avro": _avro(data, "deflate"),
        "a.csv": csv,
        "a.csv.gz": gzip.compress(csv),
        "a.csv.bz2": bz2.compress(csv),
        "a.csv.zst": zstandard.compress(csv),
        "a.csv.lz4": lz4.frame.compress(csv),
        "b.csv.lz4": hadoop(csv, lambda piece: bytes(lz4.block.compress(piece, store_size=False))),
        "a.csv.snappy": hadoop(csv, lambda piece: bytes(snappy.compress(piece))),
        "a.csv.sz": snappy.StreamCompressor().compress(csv),
        "a.csv.deflate": zlib.compress(csv),
        "a.jsonl": lines,
        "a.jsonl.gz": gzip.compress(lines),
    }


OPERATIONS: list[Callable[[Any], Any]] = [
    lambda p: p.groupby("k")["x"].sum(),
    lambda p: p,
    lambda p: p[p["i"] > 3]["s"].count(),
    lambda p: p.sort_values("s").head(5),
]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Bytes changed, cut out, doubled, or the end cut off."""
    bad = bytearray(content)
    # What shifts all that follows is mostly found at once, and hides what lies deeper.
    moves = chance.random() < 0.2
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        at = chance.randrange(len(bad))
        match chance.randrange(6):
            case 0:
                bad[at] ^= 1 << chance.randrange(8)
            case 1:
                bad[at : at + 4] = chance.choice(
                    [b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\0\0\0\0"]
                )
            case 2 if moves and len(bad) > 20:
                del bad[at : at + chance.randrange(1, 9)]
            case 3 if moves:
                bad[at:at] = bad[at : at + chance.randrange(1, 33)]
            case _:
                bad[at] = chance.randrange(256)
    if chance.random() < 0.1:
        del bad[chance.randrange(len(bad)) :]
    return bytes(bad)


def fuzz(seed: int, keep: Path, *, seconds: float = math.inf, cases: float = math.inf) -> dict[str, int]:
    """How often each outcome came, of so many cases or in so long. Ends with an assertion at the first that must not."""
    chance = random.Random(seed)
    outcomes: dict[str, int] = {}
    end = time.monotonic() + seconds
    sound = goods()
    with tempfile.TemporaryDirectory() as folder, RLMClient(threads=2, memory_limit=MEMORY) as client:
        number = 0
        while number < cases and time.monotonic() < end:
            number += 1
            name = chance.choice(list(sound))
            path = Path(folder) / f"damaged-{name}"
            content = damaged(sound[name], chance)
            path.write_bytes(content)
            # What is left if the process dies of it.
            (keep / f"last-{name}").write_bytes(content)
            task = make_task(str(path), chance.choice(OPERATIONS), chunkSize=chance.choice([1, 7, 10_000]))
            where = f"case {number} of seed {seed}: {name}"
            try:
                client.execute(task | {"options": {"timeoutMs": 20_000}})
                outcome = "answer"
            except RLMError as error:
                outcome, text = error.code, str(error)
                assert "panic" not in text and outcome not in ("INTERNAL", "TIMEOUT"), f"{where}: {text}"
                assert not outcome.startswith("SOURCE") or path.name in text, f"{where}: {text}"
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            assert held < MOST, f"{where}: {held} bytes"
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            (keep / f"last-{name}").unlink()
            path.unlink()
    return outcomes


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    print(f"a case that fails stays in {place}")
    print(
        fuzz(
            int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30),
            place,
            seconds=float(sys.argv[1]),
        )
    )
