"""Broken, missing and disagreeing files: the right error, naming the file, and the column where there is one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import RLMClient, SchemaMismatchError, SourceNotFoundError, SourceUnreadableError

from tests.conftest import make_task
from tests.faults._damage import deep_file, failure, page_of, small_file


def _total(p: Any) -> Any:
    return p["x"].sum()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source of three good files."""
    for n in range(3):
        small_file(tmp_path / f"part-{n}.parquet")
    return tmp_path


def test_the_good_files_are_good(client: RLMClient, folder: Path) -> None:
    assert client.execute(make_task(str(folder), _total)) == 3 * sum(range(100))


@pytest.mark.parametrize(
    "operation", [_total, lambda p: p.groupby("k")["x"].mean(), lambda p: p], ids=["a", "b", "c"]
)
def test_a_flipped_byte_in_a_page(client: RLMClient, folder: Path, operation: Any) -> None:
    path = folder / "part-1.parquet"
    start, length = page_of(path, "x")
    content = bytearray(path.read_bytes())
    content[start : start + 12] = b"\xff" * 12  # the page's header
    path.write_bytes(content)
    assert length > 12
    error = failure(client, str(folder), operation)
    assert isinstance(error, SourceUnreadableError)
    assert isinstance(error, OSError)
    assert "part-1.parquet" in str(error)
    assert error.details["file"].endswith("part-1.parquet")


def test_a_broken_column_that_is_not_read_does_no_harm(client: RLMClient, folder: Path) -> None:
    path = folder / "part-1.parquet"
    start, _ = page_of(path, "i")
    content = bytearray(path.read_bytes())
    content[start : start + 12] = b"\xff" * 12
    path.write_bytes(content)
    assert client.execute(make_task(str(folder), _total)) == 3 * sum(range(100))


@pytest.mark.parametrize("keep", [0, 1, 3, 7, 50, -1, -4, -9, -300])
def test_truncated(client: RLMClient, folder: Path, keep: int) -> None:
    path = folder / "part-2.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    error = failure(client, str(folder), _total)
    assert isinstance(error, SourceUnreadableError)
    assert "part-2.parquet" in str(error)


@pytest.mark.parametrize(
    "content", [b"k,x\na,1\n", b"PAR1", b"PAR1" * 9, bytes(4000), b"PAR1" + bytes(99) + b"PAR1"]
)
def test_not_parquet(client: RLMClient, folder: Path, content: bytes) -> None:
    (folder / "part-0.parquet").write_bytes(content)
    error = failure(client, str(folder), _total)
    assert isinstance(error, SourceUnreadableError)
    assert "part-0.parquet" in str(error)


def test_a_footer_that_lies_about_its_length(client: RLMClient, folder: Path) -> None:
    path = folder / "part-0.parquet"
    content = path.read_bytes()
    for length in (2**31 - 1, 2**32 - 1, len(content) + 1, 0):
        path.write_bytes(content[:-8] + length.to_bytes(4, "little") + b"PAR1")
        error = failure(client, str(folder), _total)
        assert isinstance(error, SourceUnreadableError)
        assert "part-0.parquet" in str(error)


@pytest.mark.parametrize(
    "name",
    ["nowhere.parquet", "nowhere/*.parquet", "part-[7-9].parquet", "nowhere/", "no/such/place.parquet"],
)
def test_missing(client: RLMClient, folder: Path, name: str) -> None:
    error = failure(client, str(folder / name), _total)
    assert isinstance(error, SourceNotFoundError)
    assert isinstance(error, FileNotFoundError)
    assert name.rstrip("/") in str(error)


def test_one_of_a_list_is_missing(client: RLMClient, folder: Path) -> None:
    error = failure(client, [str(folder / "part-0.parquet"), str(folder / "gone.parquet")], _total)
    assert isinstance(error, SourceNotFoundError)
    assert "gone.parquet" in str(error)


def test_an_empty_directory(client: RLMClient, tmp_path: Path) -> None:
    error = failure(client, str(tmp_path), _total)
    assert isinstance(error, SourceNotFoundError)
    assert str(tmp_path.name) in str(error)


def test_a_directory_named_like_a_file(client: RLMClient, folder: Path) -> None:
    (folder / "x.parquet").mkdir()
    error = failure(client, str(folder / "x.parquet"), _total)
    assert "x.parquet" in str(error)
    assert isinstance(error, SourceNotFoundError | SourceUnreadableError)


def test_a_file_that_vanishes_between_two_runs(client: RLMClient, folder: Path) -> None:
    task = make_task(str(folder), _total)
    client.execute(task)
    (folder / "part-1.parquet").unlink()
    assert client.execute(task) == 2 * sum(range(100))


def test_a_file_that_changes_between_two_runs(client: RLMClient, folder: Path) -> None:
    task = make_task(str(folder), _total)
    client.execute(task)
    small_file(folder / "part-1.parquet", x=[0.5] * 100)
    assert client.execute(task) == 2 * sum(range(100)) + 50


CONFLICTS: dict[str, list[Any]] = {
    "text": ["1"] * 100,
    "bools": [True] * 100,
    "times": list(pd.date_range("2024-01-01", periods=100)),
    "lists": [[1.0]] * 100,
}


@pytest.mark.parametrize("kind", CONFLICTS)
def test_files_that_disagree_about_a_column(client: RLMClient, folder: Path, kind: str) -> None:
    small_file(folder / "part-1.parquet", x=CONFLICTS[kind])
    error = failure(client, str(folder), _total)
    assert isinstance(error, SchemaMismatchError)
    assert isinstance(error, TypeError)
    assert "part-0.parquet" in str(error)
    assert "part-1.parquet" in str(error)
    assert "x" in str(error)
    assert error.details["column"] == "x"
    assert error.details["file"].endswith("part-1.parquet")


def test_a_column_missing_in_a_later_file(client: RLMClient, folder: Path) -> None:
    path = folder / "part-1.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["x"]), path)
    assert client.execute(make_task(str(folder), _total)) == 2 * sum(range(100))
    answer = client.execute(make_task(str(folder), lambda p: p["x"])).to_arrow()["x"]
    assert answer.null_count == 100


def test_the_order_of_columns_may_differ(client: RLMClient, folder: Path) -> None:
    path = folder / "part-1.parquet"
    pq.write_table(pq.read_table(path).select(["i", "x", "k"]), path)
    assert client.execute(make_task(str(folder), _total)) == 3 * sum(range(100))
    answer = client.execute(make_task(str(folder), lambda p: p)).to_arrow()
    assert answer.column_names == ["k", "x", "i"]
    assert len(answer) == 300


def test_memory_that_disagrees(client: RLMClient) -> None:
    parts = [pa.table({"x": [1.0]}), pa.table({"x": ["text"]})]
    error = failure(client, parts, _total)
    assert isinstance(error, SchemaMismatchError)
    assert "x" in str(error)


def test_files_and_a_damaged_copy(
    client: RLMClient, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copy") / "copy.parquet"
    shutil.copy(folder / "part-0.parquet", copy)
    copy.write_bytes(copy.read_bytes()[:200])
    error = failure(client, [str(folder / "part-0.parquet"), str(copy)], _total)
    assert "copy.parquet" in str(error)
    assert "part-0" not in str(error)


def test_the_client_lives_on(client: RLMClient, folder: Path) -> None:
    good = make_task(str(folder / "part-0.parquet"), _total)
    (folder / "part-1.parquet").write_bytes(b"no parquet at all")
    for _ in range(5):
        failure(client, str(folder), _total)
        assert client.execute(good) == sum(range(100))


@pytest.mark.parametrize(
    "operation", [_total, lambda p: p.groupby("k")["x"].mean(), lambda p: p], ids=["a", "b", "c"]
)
def test_the_column_of_a_broken_page_is_named(client: RLMClient, folder: Path, operation: Any) -> None:
    path = folder / "part-1.parquet"
    start, length = page_of(path, "x")
    content = bytearray(path.read_bytes())
    content[start + length - 9] ^= 0x40  # a value: only the page's checksum tells
    path.write_bytes(content)
    error = failure(client, str(folder), operation)
    assert isinstance(error, SourceUnreadableError)
    assert error.details["column"] == "x"
    assert "column `x`" in str(error)
    assert "part-1.parquet" in str(error)


def _told(program: str, *given: str) -> str:
    """What a program says that could end its process."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *given],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return done.stdout


SCHEMA = """
    import sys
    from rlm_hypervisor import RLMClient, SourceUnreadableError

    with RLMClient(threads=1) as client:
        try:
            print(client.schema(sys.argv[1]))
        except SourceUnreadableError as error:
            print(error, error.details["file"])
"""


@pytest.mark.parametrize(
    ("children", "said"),
    [([1] * 20_000, "deeper than 100 groups"), ([1 << 30], "damaged"), ([-1], "damaged")],
    ids=["deep", "many", "negative"],
)
def test_a_schema_that_nobody_can_walk(tmp_path: Path, children: list[int], said: str) -> None:
    path = deep_file(tmp_path / "deep.parquet", children)
    told = _told(SCHEMA, str(path))
    assert said in told
    assert "deep.parquet" in told


def test_the_deepest_schema_is_read(tmp_path: Path) -> None:
    assert "x" in _told(SCHEMA, str(deep_file(tmp_path / "deep.parquet", [1] * 99)))


@pytest.mark.parametrize("kind", ["list", "struct"])
def test_arrow_schemas_that_nobody_can_walk(tmp_path: Path, kind: str) -> None:
    # pyarrow writes what its own reader refuses.
    nested = pa.int64()
    for _ in range(500):
        nested = pa.list_(nested) if kind == "list" else pa.struct({"g": nested})
    with pa.OSFile(str(tmp_path / "deep.arrow"), "wb") as file:
        pa.ipc.new_file(file, pa.schema({"x": nested})).close()
    assert "deep.arrow" in _told(SCHEMA, str(tmp_path / "deep.arrow"))
