"""Names and types of columns that a source may come with: told apart as pandas does, or refused when it is opened."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, OperationFailedError, RLMClient, SchemaMismatchError

from tests.conftest import make_task

NAMES = st.sampled_from(["a", "a.1", "a.2", "a.1.1", "b", "", "Unnamed: 1", "Unnamed: 1.1"])


@given(st.lists(NAMES, min_size=1, max_size=8))
@example(["a", "a", "a.1"])
@example(["", "Unnamed: 0", "Unnamed: 0"])
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_names_that_are_repeated_are_those_of_pandas(
    client: RLMClient, tmp_path: Path, names: list[str]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([names, list(range(len(names)))])
    path = tmp_path / "names.csv"
    path.write_text(text.getvalue())
    theirs = pd.read_csv(path)
    ours = client.execute(make_task(str(path), lambda p: p)).to_pandas()
    assert list(ours.columns) == list(theirs.columns)
    assert ours.iloc[0].tolist() == theirs.iloc[0].tolist()


UNFIT: list[tuple[pa.DataType, list[Any], str]] = [
    (pa.binary(0), [b"", b"", None], "0 bytes"),
    (pa.list_(pa.binary(0)), [[b""], None, []], "0 bytes"),
    (pa.timestamp("us", tz="Mars/Phobos"), [1, 2, None], "Mars/Phobos"),
    (pa.struct([("t", pa.timestamp("us", tz="Mars/Phobos"))]), [{"t": 1}, None, None], "Mars/Phobos"),
]


@pytest.mark.parametrize(("kind", "values", "said"), UNFIT, ids=lambda value: str(value)[:30])
def test_types_that_nothing_can_be_done_with(
    client: RLMClient, kind: pa.DataType, values: list[Any], said: str
) -> None:
    table = pa.table({"k": ["x"] * 3, "odd": pa.array(values, kind)})
    for source in (table, [table, table], iter([table])):
        with pytest.raises(SchemaMismatchError, match=said) as error:
            client.execute(make_task(source, lambda p: p.groupby("k")["odd"].first()))
        assert error.value.details["column"] == "odd"
    with pytest.raises(SchemaMismatchError, match=said):
        client.table(table)


def test_a_zone_that_nobody_knows_in_a_file(client: RLMClient, tmp_path: Path) -> None:
    table = pa.table({"v": [1], "t": pa.array([1], pa.timestamp("us", tz="Mars/Phobos"))})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(SchemaMismatchError, match=r"`t` of `.*t\.parquet`.*Mars/Phobos"):
        client.read(tmp_path / "t.parquet")
    known = pa.table({"t": pa.array([1], pa.timestamp("us", tz="+05:30"))})
    assert client.execute(make_task(known, lambda p: p)).to_arrow()["t"].to_pylist() == known["t"].to_pylist()


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("n.json", b'{"v":1,"\\u0000":2}\n', {"columns": ["v"]}),
        ("n.json", b'{"v":1,"s":{"b\\u0000":2}}\n', {"columns": ["v"]}),
        ("n.csv", b"v,a\0b\n1,2\n", {"columns": ["v"]}),
    ],
)
def test_names_with_a_zero_byte(
    client: RLMClient, tmp_path: Path, name: str, content: bytes, options: dict[str, Any]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SchemaMismatchError, match=rf"{name}.*a zero byte"):
        client.execute(make_task(str(path), lambda p: p))
    left = client.execute(make_task(str(path), lambda p: p, readOptions=options))
    assert left.to_pandas().to_dict("list") == {"v": [1]}


def test_times_beyond_the_calendar_are_no_text(client: RLMClient) -> None:
    far = pa.table({"v": pa.array([2**62] * 3, pa.int64()).cast(pa.timestamp("s"))})
    with pytest.raises(OperationFailedError, match="beyond the years"):
        client.execute(make_task(far, lambda p: p.describe()))
    wide = pa.table({"k": ["a"] * 3, "t": far["v"], "v": [1, 2, 3]})
    with pytest.raises(OperationFailedError, match="beyond the years"):
        client.execute(make_task(wide, lambda p: p.pivot_table(index="k", columns="t", values="v")))
    near = pa.table({"v": pa.array([0, 86_400], pa.timestamp("s"))})
    told = client.execute(make_task(near, lambda p: p.describe())).to_arrow()["v"].to_pylist()
    assert told[0] == "2" and told[2].startswith("1970-01-01")
    shown = repr(client.execute(make_task(far, lambda p: p)))
    assert "ERROR" not in shown and "beyond the calendar" in shown


@pytest.mark.parametrize("how", ["execute", "path", "read", "table", "output", "write"])
def test_paths_that_are_not_utf8(client: RLMClient, tmp_path: Path, how: str) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")
    frame = pd.DataFrame({"v": [1]})
    calls: dict[str, Callable[[], Any]] = {
        "execute": lambda: client.execute(make_task(path, lambda p: p)),
        "path": lambda: client.execute(make_task(Path(path), lambda p: p)),
        "read": lambda: client.read(path),
        "table": lambda: client.table(Path(path)),
        "output": lambda: client.execute({**make_task(frame, lambda p: p), "output": {"url": path}}),
        "write": lambda: client.execute(make_task(frame, lambda p: p)).write.csv(path),
    }
    with pytest.raises(InvalidTaskError, match=r"udcff.*cannot be written as UTF-8"):
        calls[how]()
