"""Every format that is read, against the libraries that write it, at any chunk size; and what broken files say."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import lz4.block
import lz4.frame
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
import snappy
import zstandard
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, RLMClient, RLMError, SchemaMismatchError, SourceUnreadableError

from tests.conftest import make_task
from tests.io.conftest import BUCKET, Store

Clients = Callable[[int], RLMClient]
CHUNKS: list[int | str] = [1, 7, 1000, "auto"]


def table(rows: int = 100) -> pa.Table:
    """Integers, floats, texts, truth values, each with missing ones."""
    at = range(rows)
    return pa.table(
        {
            "k": pa.array([["a", "Zürich", "", "x,y", None][n * 3 % 5] for n in at], pa.string()),
            "i": pa.array([None if n % 11 == 3 else n * 7 - 300 for n in at], pa.int64()),
            "x": pa.array([None if n % 7 == 2 else n / 4 for n in at], pa.float64()),
            "b": pa.array([None if n % 5 == 4 else n % 2 == 0 for n in at], pa.bool_()),
            "n": pa.array(list(at), pa.int64()),
        }
    )


def _csv(data: pa.Table, path: Path) -> None:
    # An empty text and a missing one are the same in CSV, for pandas as for us.
    data.to_pandas(integer_object_nulls=True).to_csv(
        path, index=False, sep="\t" if path.suffix == ".tsv" else ","
    )


def _json(data: pa.Table, path: Path) -> None:
    data.to_pandas(integer_object_nulls=True).to_json(path, orient="records", lines=True)


def _ipc(data: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, data.schema) as writer:
        writer.write_table(data, max_chunksize=13)


def _stream(data: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(path, data.schema) as writer:
        writer.write_table(data, max_chunksize=13)


def _feather(data: pa.Table, path: Path) -> None:
    pa.feather.write_feather(data, str(path), compression="zstd", chunksize=17)


def _avro(data: pa.Table, path: Path) -> None:
    kinds = {pa.string(): "string", pa.int64(): "long", pa.float64(): "double", pa.bool_(): "boolean"}
    fields = [{"name": field.name, "type": ["null", kinds[field.type]]} for field in data.schema]
    schema = {"type": "record", "name": "row", "fields": fields}
    with path.open("wb") as file:
        fastavro.writer(file, schema, data.to_pylist(), codec="deflate", sync_interval=300)


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    "a.csv": _csv,
    "a.tsv": _csv,
    "a.jsonl": _json,
    "a.json": _json,
    "a.arrow": _ipc,
    "a.arrows": _stream,
    "a.feather": _feather,
    "a.avro": _avro,
}


def plain(value: Any) -> Any:
    """Values as Python has them, where an empty text is a missing one."""
    return None if value is None or value == "" or (isinstance(value, float) and math.isnan(value)) else value


def assert_rows(found: pa.Table, wanted: pa.Table) -> None:
    assert found.column_names == wanted.column_names
    for name in wanted.column_names:
        assert [plain(v) for v in found[name].to_pylist()] == [plain(v) for v in wanted[name].to_pylist()], (
            name
        )


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_the_table_that_was_written(
    clients: Clients, tmp_path: Path, name: str, chunk: int | str
) -> None:
    data = table()
    WRITERS[name](data, tmp_path / name)
    for threads in (1, 2):
        answer = clients(threads).execute(make_task(str(tmp_path / name), lambda p: p, chunkSize=chunk))
        assert_rows(answer.to_arrow(), data)


@pytest.mark.parametrize("name", WRITERS)
def test_a_directory_is_its_files_in_order(clients: Clients, tmp_path: Path, name: str) -> None:
    data = table(90)
    for number, start in enumerate(range(0, 90, 30)):
        WRITERS[name](data.slice(start, 30), tmp_path / f"{number}-{name}")
    client = clients(2)
    whole = client.execute(make_task(str(tmp_path), lambda p: p[p["n"] % 3 == 0][["n", "x"]], chunkSize=11))
    wanted = data.to_pandas()
    wanted = wanted[wanted["n"] % 3 == 0][["n", "x"]]
    pd.testing.assert_frame_equal(whole.to_pandas(), wanted)
    assert client.execute(make_task(str(tmp_path), lambda p: p["n"].size)) == 90
    sums = client.execute(make_task(str(tmp_path), lambda p: p.groupby("b")["n"].sum(), chunkSize=7))
    assert sums.to_pandas().tolist() == data.to_pandas().groupby("b")["n"].sum().tolist()


def test_python_mode_reads_them_as_well(client: RLMClient, tmp_path: Path) -> None:
    _csv(table(), tmp_path / "a.csv")
    rows = client.execute(
        make_task(str(tmp_path / "a.csv"), lambda p: p[p["n"] > 50], chunkSize=30, options={"mode": "python"})
    )
    assert rows.to_arrow()["n"].to_pylist() == list(range(51, 100))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
    ".bz2": bz2.compress,
    ".lz4": lz4.frame.compress,
    ".sz": lambda data: snappy.StreamCompressor().compress(data),
}


@pytest.mark.parametrize("ending", PACKERS)
def test_compressed_text(client: RLMClient, tmp_path: Path, ending: str) -> None:
    _csv(table(), tmp_path / "a.csv")
    _json(table(), tmp_path / "a.jsonl")
    for name in ("a.csv", "a.jsonl"):
        # Two members one after the other are one file, where the format allows it.
        whole = (tmp_path / name).read_bytes()
        half = whole.index(b"\n", len(whole) // 2) + 1
        packed = PACKERS[ending](whole)
        if ending in {".gz", ".bz2", ".zst"}:
            packed = PACKERS[ending](whole[:half]) + PACKERS[ending](whole[half:])
        path = tmp_path / (name + ending)
        path.write_bytes(packed)
        assert_rows(client.execute(make_task(str(path), lambda p: p)).to_arrow(), table())
        path.write_bytes(packed[:-20])
        with pytest.raises(SourceUnreadableError, match=rf"{name}{ending}.*cannot be"):
            client.execute(make_task(str(path), lambda p: p))


def hadoop(data: bytes, compress: Callable[[bytes], bytes], block: int = 700, piece: int = 300) -> bytes:
    """Blocks as Hadoop's codecs write them."""
    packed = bytearray()
    for start in range(0, len(data), block):
        inner = data[start : start + block]
        packed += len(inner).to_bytes(4, "big")
        for at in range(0, len(inner), piece):
            some = compress(inner[at : at + piece])
            packed += len(some).to_bytes(4, "big") + some
    return bytes(packed)


HADOOP: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lambda data: hadoop(data, lambda piece: bytes(lz4.block.compress(piece, store_size=False))),
    "snappy": lambda data: hadoop(data, lambda piece: bytes(snappy.compress(piece))),
    "snappy in one": lambda data: hadoop(data, lambda piece: bytes(snappy.compress(piece)), 1 << 20, 1 << 20),
    "deflate": zlib.compress,
}


@pytest.mark.parametrize("codec", HADOOP)
def test_text_as_hadoop_compresses_it(client: RLMClient, tmp_path: Path, codec: str) -> None:
    ending = codec.split()[0]
    _csv(table(), tmp_path / "a.csv")
    _json(table(), tmp_path / "a.jsonl")
    for name in ("a.csv", "a.jsonl"):
        folder = tmp_path / f"{name} by Spark"
        folder.mkdir()
        packed = HADOOP[codec]((tmp_path / name).read_bytes())
        for part in (0, 1):
            (folder / f"part-{part}.{name[2:].replace('jsonl', 'json')}.{ending}").write_bytes(packed)
        (folder / "_SUCCESS").touch()
        twice = pa.concat_tables([table(), table()])
        assert_rows(client.execute(make_task(str(folder), lambda p: p)).to_arrow(), twice)
        for damaged in (packed[:-20], packed[: len(packed) // 2] + b"\xff" * 9 + packed[len(packed) // 2 :]):
            (folder / f"part-1.{name[2:].replace('jsonl', 'json')}.{ending}").write_bytes(damaged)
            with pytest.raises(SourceUnreadableError, match=rf"part-1.*{ending}.*cannot be"):
                client.execute(make_task(str(folder), lambda p: p))


def test_a_directory_of_what_is_not_read(client: RLMClient, tmp_path: Path) -> None:
    (tmp_path / "part-0.zstd.orc").write_bytes(b"ORC")
    with pytest.raises(InvalidTaskError, match=r"part-0\.zstd\.orc.*is an ORC file.*pyarrow\.orc"):
        client.execute(make_task(str(tmp_path), lambda p: p))


@pytest.mark.parametrize("name", WRITERS)
def test_a_store_gives_what_a_disk_gives(s3: Store, tmp_path: Path, name: str) -> None:
    WRITERS[name](table(), tmp_path / name)
    s3.boto.put_object(Bucket=BUCKET, Key=f"formats/{name}/{name}", Body=(tmp_path / name).read_bytes())
    with RLMClient(threads=2, storage_options=s3.options) as client:
        answer = client.execute(make_task(f"s3://{BUCKET}/formats/{name}", lambda p: p))
        assert_rows(answer.to_arrow(), table())


# CSV beside pandas.

FIELDS = st.one_of(
    st.sampled_from(
        ["", "NA", "nan", "null", "None", "1", "-7", "007", "+3", " 4", "2.5", "-1e3", ".5", "inf", "-Infinity",
         "True", "false", "TRUE", "9223372036854775807", "9223372036854775808", "x", "a,b", 'say "no"', "two\nlines",
         "Zürich", " padded ", "1_000", "0x10", "NAN", "-", "1.2.3"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=5),
)  # fmt: skip


def close(ours: Any, theirs: Any) -> bool:
    """Floats as pandas reads them: not always the nearest ones, as ours are; and integers where there are missing ones."""
    if not isinstance(theirs, float) or isinstance(ours, str | bool):
        return False
    return math.isclose(float(ours), theirs, rel_tol=1e-15)


@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_csv_is_what_pandas_reads(client: RLMClient, tmp_path: Path, data: st.DataObject) -> None:
    columns = data.draw(st.integers(2, 4))
    kinds = [data.draw(st.sampled_from([FIELDS, st.sampled_from(["1", "2", ""]), st.sampled_from(["1", "2.5", "NA"]),
                                        st.sampled_from(["True", "false", ""])])) for _ in range(columns)]  # fmt: skip
    rows = data.draw(st.lists(st.tuples(*kinds), max_size=8))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=data.draw(st.sampled_from(["\n", "\r\n"])))
    writer.writerow([f"c{n}" for n in range(columns)])
    writer.writerows(rows)
    path = tmp_path / "a.csv"
    path.write_text(
        text.getvalue(), encoding="utf-8-sig" if data.draw(st.booleans()) else "utf-8", newline=""
    )
    wanted = pd.read_csv(path)
    found = client.execute(
        make_task(str(path), lambda p: p, chunkSize=data.draw(st.sampled_from([1, 3, 100])))
    )
    found = found.to_arrow().to_pydict()
    assert list(found) == list(wanted.columns)
    for name in wanted.columns:
        if any(isinstance(value, int) and value >= 2**63 for value in found[name]):
            # There pandas leaves missing values as they were written.
            wanted[name] = wanted[name].where(wanted[name] != "", None)
        same = [
            (pd.isna(a) and pd.isna(b)) or (not pd.isna(a) and (a == b or str(a) == str(b) or close(a, b)))
            for a, b in zip(found[name], wanted[name], strict=True)
        ]
        assert all(same), (name, list(found[name]), list(wanted[name]))


def test_types_are_those_of_the_whole_file(client: RLMClient, tmp_path: Path) -> None:
    """The last of many rows decides, also beyond the first part of a file, with and without quotes."""
    for number, quote in enumerate(("", '"')):
        path = tmp_path / f"{number}.csv"
        body = "".join(f"{n},{quote}text {n}{quote}\n" for n in range(400_000))
        path.write_text("a,s\n" + body + "0.5,end\n")
        assert path.stat().st_size > 5 << 20
        answer = client.execute(make_task(str(path), lambda p: p["a"].sum()))
        assert answer == 400_000 * 399_999 / 2 + 0.5
        last = client.execute(make_task(str(path), lambda p: p.tail(2))).to_pandas()
        assert last["s"].tolist() == ["text 399999", "end"]


def test_names_of_columns_are_those_of_pandas(client: RLMClient, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,,a,b\n1,2,3,4\n")
    answer = client.execute(make_task(str(path), lambda p: p)).to_pandas()
    assert list(answer.columns) == list(pd.read_csv(path).columns)


def test_rows_that_are_short_or_blank_are_as_pandas_has_them(client: RLMClient, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b,c\n1,2\n\n   \n4,5,6\n""\n7,"a ""b""\n",8')
    answer = client.execute(make_task(str(path), lambda p: p)).to_arrow()
    assert_rows(answer, pa.Table.from_pandas(pd.read_csv(path)))


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "a row that is long": ("a.csv", b"a,b\n1,2\n1,2,3\n", "line 3 has 3 fields where the first line has 2"),
    "a long row after quotes": ("a.csv", b'a,b\n"1\n",2\n1,2,3\n', "line 4 has 3 fields"),
    "a long row after ends of two bytes": ("a.csv", b"a,b\r\n1,2\r\n\r\n1,2,3\r\n", "line 4 has 3 fields"),
    "a quote that is not closed": (
        "a.csv",
        b'a,b\n1,2\n3,"x\n5,6\n',
        "line 3 has a quote that is never closed",
    ),
    "no names": ("a.csv", b"", "no line with the names"),
    "no UTF-8": ("a.csv", b"a,b\nx,1\n\xff\xfe,2\n", "line 3, column `a`: it is no UTF-8"),
    "mixed": (
        "a.jsonl",
        b'{"a": {"b": 1}}\n\n{"a": {"b": "x"}}',
        "line 3: field `a`: field `b`: there are both numbers and texts",
    ),
    "cut object": ("a.jsonl", b'{"a": 1}\n{"a": 2', "line 2: EOF"),
    "an array": ("a.json", b'[{"a": 1}]', "an array"),
    "no object": ("a.jsonl", b'{"a": 1}\nhello\n', "line 2: it does not begin"),
    "no JSON": ("a.jsonl", b'{"a": 1}\n{"a": }\n', "cannot be read as JSON lines"),
    "no IPC": ("a.arrow", b"what is this", "cannot be read as Arrow IPC"),
    "no Avro": ("a.avro", b"what is this", "does not begin as one"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named(client: RLMClient, tmp_path: Path, case: str) -> None:
    name, content, why = BROKEN[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceUnreadableError, match=why) as caught:
        client.execute(make_task(str(tmp_path / name), lambda p: p))
    assert name in str(caught.value)
    assert caught.value.details["file"] == str(tmp_path / name)


@pytest.mark.parametrize("name", WRITERS)
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damage_is_an_error_or_no_matter(
    client: RLMClient, tmp_path: Path, name: str, data: st.DataObject
) -> None:
    """Cut anywhere, or with bytes changed: an error that names the file, never a panic, a hang or a crash."""
    path = tmp_path / name
    WRITERS[name](table(30), path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    failure: RLMError | None = None
    try:
        client.execute(make_task(str(path), lambda p: p, options={"timeoutMs": 20_000}))
    except (SourceUnreadableError, SchemaMismatchError) as error:
        failure = error
    assert failure is None or name in str(failure)


def test_json_types_are_those_of_all_lines(client: RLMClient, tmp_path: Path) -> None:
    """Whole numbers beyond 63 bits stay exact; fields and lists are as wide as all lines need, in order of appearance."""
    lines = [
        '{"a": 1, "big": 18446744073709551615, "list": [], "deep": {"x": null}}',
        "",
        '{"deep": {"y": "é", "x": [1]}, "a": 2.5, "list": [null, 3]}',
        '{"big": 9007199254740993, "late": true, "list": null}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    found = client.execute(make_task(str(path), lambda p: p)).to_arrow()
    assert found.to_pylist() == [
        {"a": 1.0, "big": 2**64 - 1, "list": [], "deep": {"x": None, "y": None}, "late": None},
        {"a": 2.5, "big": None, "list": [None, 3], "deep": {"x": [1], "y": "é"}, "late": None},
        {"a": None, "big": 2**53 + 1, "list": None, "deep": None, "late": True},
    ]
    assert found.schema.field("big").type == pa.uint64()


def test_parts_of_a_large_file_are_the_file(clients: Clients, tmp_path: Path) -> None:
    """Values in quotes lie across the borders of parts, one of them over several."""
    lines = [f'{i},"{"x" * (i % 97)}\n""{i}"",\r\n{"," * (i % 13)}"' for i in range(100_000)]
    lines[70_000] = '70000,"' + "long\n" * 2_000_000 + '"'
    path = tmp_path / "a.csv"
    path.write_bytes(("a,b\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
    wanted = pd.read_csv(path)
    client = clients(threads=2)
    found = client.execute(make_task(str(path), lambda p: p)).to_pandas()
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False)


def test_formats_do_not_mix(client: RLMClient, tmp_path: Path) -> None:
    _csv(table(), tmp_path / "a.csv")
    _json(table(), tmp_path / "b.jsonl")
    with pytest.raises(
        InvalidTaskError, match=r"mixes formats: `.*a\.csv` is CSV, `.*b\.jsonl` is JSON lines"
    ):
        client.execute(make_task(str(tmp_path), lambda p: p["n"].size))
    assert client.execute(make_task(str(tmp_path / "*.csv"), lambda p: p["n"].size)) == 100


def test_the_format_may_be_said(client: RLMClient, tmp_path: Path) -> None:
    _csv(table(), tmp_path / "a.txt")
    assert client.execute(make_task(str(tmp_path / "a.txt"), lambda p: p["n"].size, format="csv")) == 100
    assert len(client.table(str(tmp_path / "a.txt"), format="csv").columns) == 5
    with pytest.raises(InvalidTaskError, match="csv"):
        client.execute(make_task(str(tmp_path / "a.txt"), lambda p: p["n"].size, format="cvs"))


def test_files_widen_each_other_or_do_not_fit(client: RLMClient, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("b,a\ny,2.5\n,\n")
    answer = client.execute(make_task(str(tmp_path), lambda p: p)).to_pandas()
    assert answer["a"].tolist()[:2] == [1.0, 2.5]
    assert answer["b"].tolist()[:2] == ["x", "y"]
    (tmp_path / "3.csv").write_text("a,b\nword,z\n")
    answer = client.execute(make_task(str(tmp_path), lambda p: p)).to_arrow()
    assert answer["a"].to_pylist() == ["1", "2.5", None, "word"], "as in one file with all the rows"
    for number, value in enumerate(["1", '"word"']):
        (tmp_path / f"{number}.jsonl").write_text(f'{{"a": {value}}}\n')
    with pytest.raises(SchemaMismatchError, match=r"column `a` is str in file `.*1\.jsonl`.*`.*0\.jsonl`"):
        client.execute(make_task(str(tmp_path / "*.jsonl"), lambda p: p))
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()
    (tmp_path / "3.csv").write_text("a\n1\n")
    assert client.execute(make_task(str(tmp_path), lambda p: p["b"])).to_arrow()["b"].to_pylist()[3] is None


def test_explain_names_format_and_bytes(client: RLMClient, tmp_path: Path) -> None:
    for number in range(2):
        _csv(table(), tmp_path / f"{number}.csv")
    run = client.submit(make_task(str(tmp_path), lambda p: p.groupby("k")["n"].sum()))
    run.result()
    text = str(run.explain())
    assert "2 CSV files" in text
    assert "bytes: 0 bytes" not in text
