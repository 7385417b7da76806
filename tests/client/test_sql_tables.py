"""Tables of a query that say how their files are found and read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rlm_hypervisor import InvalidTaskError, RLMClient, SchemaMismatchError, secret


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2) as client:
        client.memory["shops.txt"] = b"1;north\n2;south\n"
        yield client


@pytest.fixture
def orders(tmp_path: Path) -> str:
    path = tmp_path / "orders.dat"
    path.write_text("shop|amount|note\n1|10|a\n2|20|b\n1|5|c\n")
    return str(path)


def test_tables_take_what_an_input_takes(client: RLMClient, orders: str) -> None:
    tables: dict[str, Any] = {
        "orders": {
            "source": orders,
            "format": "csv",
            "readOptions": {"sep": "|", "columns": ["amount", "shop"]},
        },
        "shops": {
            "source": "memory://shops.txt",
            "format": "csv",
            "read_options": {"sep": ";", "names": ["shop", "name"], "dtype": {"shop": int}},
        },
        "rates": {"source": pd.DataFrame({"name": ["north", "south"], "rate": [2, 3]})},
    }
    query = "select name, sum(amount * rate) s from orders join shops using (shop) join rates using (name) group by 1 order by 1"
    assert client.sql(query, tables=tables).to_dict() == {"name": ["north", "south"], "s": [30, 60]}
    assert client.sql("select * from orders limit 1", tables=tables).to_arrow().column_names == [
        "amount",
        "shop",
    ]
    with pytest.raises(SchemaMismatchError, match="note"):
        client.sql("select note from orders", tables=tables)


def test_lists_of_files_are_one_table(client: RLMClient, tmp_path: Path) -> None:
    for n in range(2):
        (tmp_path / f"{n}.csv").write_text(f"a;b\n{n};x\n")
    tables: dict[str, Any] = {
        "t": {"source": [tmp_path / "0.csv", str(tmp_path / "1.csv")], "readOptions": {"sep": ";"}}
    }
    assert client.sql("select sum(a) s from t where b = 'x'", tables=tables).to_dict() == {"s": [1]}


@pytest.mark.parametrize(
    ("table", "path", "text"),
    [
        ({}, "operation.tables.t.source", "missing"),
        ({"format": "csv"}, "operation.tables.t.source", "missing"),
        ({"source": "x.csv", "sep": ";"}, "operation.tables.t.sep", "not a key of a table"),
        ({"source": "x.csv", "format": "cvs"}, "operation.tables.t.format", 'Did you mean "csv"'),
        ({"source": "x.csv", "readOptions": {"sepp": ";"}}, "operation.tables.t.readOptions.sepp", "sep"),
        ({"source": [1]}, "operation.tables.t.source[0]", "path or URL"),
        ({"source": "x.csv", "storageOptions": {"aws_secret_access_key": "hush"}},
         "operation.tables.t.storageOptions.aws_secret_access_key", "secret"),
        ({"source": pd.DataFrame({"a": [1]}), "readOptions": {"sep": ";"}},
         "operation.tables.t.readOptions", "for files"),
        ({"source": pd.DataFrame({"a": [1]}), "format": "csv"}, "operation.tables.t.format", "for files"),
        ({"source": "x.csv", "storageOptions": {"aws_region": "eu"}},
         "operation.tables.t.storageOptions", "in none"),
        ({"source": "x.csv", "readOptions": {"dates": {"d": "%Q"}}},
         "operation.tables.t.readOptions.dates.d", "operation.tables.t.readOptions.dates.d: .*%Q"),
        ({"source": "x.csv", "readOptions": {"names": ["a", "a"]}},
         "operation.tables.t.readOptions.names", "operation.tables.t.readOptions.names has `a` twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place(
    client: RLMClient, table: dict[str, Any], path: str, text: str
) -> None:
    with pytest.raises(InvalidTaskError, match=text) as caught:
        client.sql("select 1 from t", tables={"t": table})
    assert caught.value.details["path"] == path and "hush" not in str(caught.value)


def test_what_files_contradict_is_told_of_its_own_table(
    client: RLMClient, orders: str, tmp_path: Path
) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "t.parquet")
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "t.csv")
    first = {"source": orders, "format": "csv", "readOptions": {"sep": "|"}}
    late: list[tuple[dict[str, Any], str]] = [
        ({"source": str(tmp_path / "t.parquet"), "readOptions": {"sep": ";"}}, "readOptions.sep"),
        ({**first, "readOptions": {"sep": "|", "dtype": {"shops": "int64"}}}, "readOptions.dtype"),
        ({"source": str(tmp_path / "*")}, "source"),
    ]
    for table, key in late:
        with pytest.raises(InvalidTaskError) as caught:
            client.sql("select 1 from first, t", tables={"first": first, "t": table})
        assert caught.value.details["path"] == f"operation.tables.t.{key}"
        assert "input." not in str(caught.value)


def test_a_secret_is_named(client: RLMClient) -> None:
    table = {
        "source": "s3://bucket/x.parquet",
        "storageOptions": {"aws_secret_access_key": secret("none-such")},
    }
    with pytest.raises(Exception, match="none-such"):
        client.sql("select 1 from t", tables={"t": table})
