"""Sources on this machine: files, directories, globs, lists, URLs, and everything with an Arrow capsule."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import InvalidTaskError, RLMClient, RLMError, SourceUnreadableError

from tests.conftest import make_task
from tests.io.conftest import part


def numbers(client: RLMClient, source: Any, chunk: int | str = "auto") -> list[int]:
    """The column `n` of a source, in its order."""
    answer = client.execute(make_task(source, lambda p: p["n"], chunkSize=chunk))
    values: list[int] = answer.to_arrow()["n"].to_pylist()
    return values


FORMS: dict[str, tuple[Callable[[Path], Any], list[int]]] = {
    "file": (lambda f: str(f / "part-2.parquet"), list(range(20, 30))),
    "path object": (lambda f: f / "part-2.parquet", list(range(20, 30))),
    "directory": (lambda f: str(f), list(range(40))),
    "directory with slash": (lambda f: f"{f}/", list(range(40))),
    "directory as path": (lambda f: f, list(range(40))),
    "glob": (lambda f: f"{f}/part-*.parquet", list(range(40))),
    "glob of one character": (lambda f: f"{f}/part-[13].parquet", [*range(10, 20), *range(30, 40)]),
    "glob of directories": (lambda f: f"{f.parent}/*/part-3.parquet", list(range(30, 40))),
    "list": (lambda f: [str(f / "part-3.parquet"), str(f / "part-0.parquet")], [*range(30, 40), *range(10)]),
    "list of paths": (lambda f: [f / "part-1.parquet"], list(range(10, 20))),
    "list with a glob": (
        lambda f: [f"{f}/part-[01].parquet", f / "part-3.parquet"],
        [*range(20), *range(30, 40)],
    ),
    "the same file twice": (lambda f: [f / "part-1.parquet"] * 2, [*range(10, 20)] * 2),
    "file url": (lambda f: (f / "part-2.parquet").as_uri(), list(range(20, 30))),
    "directory url": (lambda f: f.as_uri(), list(range(40))),
}


@pytest.mark.parametrize("form", FORMS)
def test_files(client: RLMClient, files: Path, form: str) -> None:
    source, expected = FORMS[form]
    assert numbers(client, source(files)) == expected
    assert numbers(client, source(files), chunk=3) == expected


def test_a_relative_path(client: RLMClient, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files.parent)
    assert numbers(client, "data") == list(range(40))
    assert numbers(client, "./data/part-1.parquet") == list(range(10, 20))
    assert numbers(client, "data/*.parquet") == list(range(40))


def test_names_with_odd_characters(client: RLMClient, tmp_path: Path) -> None:
    for name in ["a b.parquet", "ключ.parquet", "100%25.parquet", "a=b&c.parquet", "a#b?.parquet"]:
        path = tmp_path / name
        pq.write_table(part(1), path)
        assert numbers(client, str(path)) == list(range(10, 20)), name
        assert numbers(client, path.as_uri()) == list(range(10, 20)), name


def test_files_come_in_the_order_of_their_names(client: RLMClient, tmp_path: Path) -> None:
    for n, name in enumerate(["part-10", "part-9", "part-100", "part-1"]):
        pq.write_table(part(n), tmp_path / f"{name}.parquet")
    by_name = sorted(["part-10", "part-9", "part-100", "part-1"], key=lambda name: f"{name}.parquet")
    first = {"part-10": 0, "part-9": 10, "part-100": 20, "part-1": 30}
    expected = [number for name in by_name for number in range(first[name], first[name] + 10)]
    assert numbers(client, str(tmp_path)) == expected
    assert numbers(client, f"{tmp_path}/*.parquet", chunk=7) == expected


def test_nested_directories(client: RLMClient, tmp_path: Path) -> None:
    for n, folder in enumerate(["b", "a", "a/deep"]):
        (tmp_path / folder).mkdir(exist_ok=True)
        pq.write_table(part(n), tmp_path / folder / "x.parquet")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "y.parquet").write_bytes(b"half written")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "z.parquet").write_bytes(b"hidden")
    assert sorted(numbers(client, str(tmp_path))) == list(range(30))


def test_symbolic_links(client: RLMClient, files: Path, tmp_path: Path) -> None:
    os.symlink(files / "part-1.parquet", tmp_path / "link.parquet")
    assert numbers(client, str(tmp_path / "link.parquet")) == list(range(10, 20))


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_every_compression(client: RLMClient, tmp_path: Path, compression: str) -> None:
    pq.write_table(part(2), tmp_path / "t.parquet", compression=compression)
    assert numbers(client, str(tmp_path / "t.parquet")) == list(range(20, 30))


ROWS = pa.concat_tables([part(n) for n in range(4)])
MEMORY: dict[str, Callable[[], Any]] = {
    "pandas": ROWS.to_pandas,
    "polars": lambda: pl.DataFrame(ROWS),
    "pyarrow table": lambda: ROWS,
    "pyarrow table in pieces": lambda: pa.concat_tables([part(n) for n in range(4)]),
    "record batch": lambda: ROWS.combine_chunks().to_batches()[0],
    "record batch reader": lambda: pa.RecordBatchReader.from_batches(
        ROWS.schema, ROWS.to_batches(max_chunksize=7)
    ),
    "duckdb": lambda: duckdb.from_arrow(ROWS),
    "list of tables": lambda: [part(n) for n in range(4)],
    "mixed list": lambda: [part(0).to_pandas(), pl.DataFrame(part(1)), part(2), part(3)],
    "sliced": lambda: pa.concat_tables([part(0), *[part(n) for n in range(4)]]).slice(10),
}


@pytest.mark.parametrize("form", MEMORY)
@pytest.mark.parametrize("chunk", [1, 7, "auto"])
def test_memory(client: RLMClient, form: str, chunk: int | str) -> None:
    assert numbers(client, MEMORY[form](), chunk) == list(range(40))


@pytest.mark.parametrize("form", [form for form in MEMORY if form != "record batch reader"])
def test_memory_can_be_read_again(client: RLMClient, form: str) -> None:
    source = MEMORY[form]()
    task = make_task(source, lambda p: p.groupby("k")["n"].sum(), chunkSize=7)
    expected = {f"k{r}": sum(range(r, 40, 3)) for r in range(3)}
    for _ in range(2):
        assert client.execute(task).to_pandas().to_dict() == expected


def test_memory_without_rows(client: RLMClient) -> None:
    for source in (ROWS.slice(0, 0), ROWS.slice(0, 0).to_pandas(), pl.DataFrame(ROWS.slice(0, 0))):
        assert numbers(client, source) == []


def test_several_tables_have_no_index_of_their_own(client: RLMClient) -> None:
    """One has (`tests/oracle/test_first_surface.py`); rows of several are numbered, as those of several files."""
    frame = pd.DataFrame({"x": [1, 2]}, index=["a", "b"])
    with pytest.raises(InvalidTaskError, match="reset_index"):
        client.execute(make_task([frame, frame], lambda p: p["x"].sum()))
    numbered = [frame.reset_index(), frame.reset_index()]
    assert client.execute(make_task(numbered, lambda p: p["x"].sum())) == 6


def test_pandas_categories_are_plain_strings(client: RLMClient) -> None:
    frame = pd.DataFrame({"k": pd.Categorical(["b", "a", "b"], categories=["c", "b", "a"]), "n": [1, 2, 3]})
    answer = client.execute(make_task(frame, lambda p: p.groupby("k", observed=True)["n"].sum())).to_pandas()
    assert answer.to_dict() == {"a": 2, "b": 4}
    assert str(answer.index.dtype) == "str"


def test_what_the_source_held_is_unchanged(client: RLMClient) -> None:
    frame = ROWS.to_pandas()
    before = frame.copy()

    def operation(p: Any) -> Any:
        p["n"] = 0
        return p

    assert client.execute(make_task(frame, operation)).to_arrow()["n"].to_pylist() == [0] * 40
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("source", ["ftp://host/x.parquet", "s4://bucket/x", "data.csv", "data.json"])
def test_what_is_not_supported_is_refused_by_name(client: RLMClient, source: str) -> None:
    with pytest.raises(RLMError) as caught:
        numbers(client, source)
    assert caught.value.code in ("INVALID_TASK", "SOURCE_NOT_FOUND", "SOURCE_UNREADABLE")
    assert source.partition("/")[0].rstrip(":") in str(caught.value)


@pytest.mark.parametrize("source", [3.5, {"a": 1}, [1, 2], b"bytes", ""], ids=repr)
def test_what_is_no_source(client: RLMClient, source: Any) -> None:
    with pytest.raises(InvalidTaskError, match="source"):
        numbers(client, source)


@pytest.mark.parametrize(
    "source",
    [
        "http://me:hush@127.0.0.1:1/x.parquet?sign=hush",
        "http://127.0.0.1:1/x.parquet?sign=hush",
        "ftp://me:hush@host/x.parquet",
        "s3://me:hush@bucket/x.parquet",
        "s3://me:hush@[bad/x.parquet",
    ],
)
def test_secrets_in_an_address_are_not_repeated(client: RLMClient, source: str) -> None:
    with pytest.raises(InvalidTaskError) as caught:
        numbers(client, source)
    assert "hush" not in f"{caught.value} {caught.value.details}"


@pytest.mark.parametrize("name", ["t.orc", "t.xlsx", "T.XLSX", "t.zip"])
def test_other_formats_are_refused_by_name(client: RLMClient, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InvalidTaskError, match="which this version does not read") as caught:
        client.execute(make_task(str(path), lambda p: p))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("format_", "made"),
    [
        ("Delta Lake", "_delta_log/00000000000000000000.json"),
        ("Hudi", ".hoodie/hoodie.properties"),
        ("Iceberg", "metadata/v1.metadata.json"),
    ],
)
def test_tables_with_a_log_are_refused(client: RLMClient, tmp_path: Path, format_: str, made: str) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "part-0.parquet")
    log = tmp_path / made
    log.parent.mkdir()
    log.write_text("{}")
    with pytest.raises(InvalidTaskError, match=format_):
        client.execute(make_task(str(tmp_path), lambda p: p))


def test_a_pipe_is_no_source(client: RLMClient, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceUnreadableError, match="not a regular file"):
        client.execute(make_task(str(tmp_path / "pipe"), lambda p: p))
