"""Files in directories that the operation's conditions exclude: not even their footers are read, where no row counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from rlm_hypervisor import RLMClient, SourceUnreadableError

from tests.conftest import make_task
from tests.io._proxy import Proxy
from tests.io.conftest import BUCKET, Store
from tests.io.test_hive import write
from tests.io.test_output import task

YEARS = range(2020, 2026)


@pytest.fixture(scope="module")
def client() -> Iterator[RLMClient]:
    with RLMClient(threads=2, workers=1) as client:
        yield client


def tables() -> list[tuple[str, pa.Table]]:
    return [(f"year={year}", pa.table({"n": [year, 1], "k": ["a", "b"]})) for year in YEARS]


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    return write(tmp_path / "sales", tables())


def broken(root: Path, *years: int) -> Path:
    for year in years:
        for path in root.glob(f"year={year}/*"):
            path.write_bytes(b"PAR1 this is no Parquet file")
    return root


def ran(client: RLMClient, source: Any, operation: Callable[[Any], Any]) -> tuple[Any, dict[str, Any], str]:
    run = client.submit(make_task(str(source), operation))
    answer = run.result()
    explained = run.explain()
    return answer, explained.to_dict()["scans"][0], str(explained.to_dict()["text"])


def test_a_broken_file_that_is_excluded_does_no_harm(client: RLMClient, sales: Path) -> None:
    broken(sales, 2020, 2022)
    total, facts, _ = ran(client, sales, lambda p: p[p["year"] == 2023]["n"].sum())
    assert total == 2024
    assert (facts["files"], facts["files_pruned"], facts["files_unopened"]) == (6, 5, 4)
    with pytest.raises(SourceUnreadableError, match="year=2022"):
        ran(client, sales, lambda p: p[p["year"] >= 2022]["n"].sum())
    with pytest.raises(SourceUnreadableError):
        ran(client, sales, lambda p: p["n"].sum())


@pytest.mark.parametrize("first", [2020, 2025])
def test_it_may_be_the_first_or_the_last(client: RLMClient, sales: Path, first: int) -> None:
    broken(sales, first, 2021)
    total, facts, text = ran(client, sales, lambda p: p[p["year"].isin([2023, 2024])].groupby("k")["n"].sum())
    assert total.to_pandas().to_dict() == {"a": 4047, "b": 2}
    assert facts["files_unopened"] == 3 and ", of 3 not even the footer" in text


PLANS: dict[str, Callable[[Any], Any]] = {
    "groups": lambda p: p[p["year"] == 2023].groupby("k")["n"].sum(),
    "a scalar": lambda p: p[p["year"] == 2023]["n"].max(),
    "several scalars": lambda p: p[p["year"] == 2023][["n"]].agg(["min", "max"]),
    "a count": lambda p: p[p["year"] == 2023]["n"].count(),
    "rows without their numbers": lambda p: p[p["year"] == 2023].reset_index(drop=True),
    "a sort": lambda p: p[p["year"] == 2023].sort_values("n").reset_index(drop=True),
    "steps": lambda p: p.assign(m=p["n"] * 2)[lambda q: q["year"] == 2023].groupby("k")["m"].mean(),
    "a window": lambda p: p[p["year"] == 2023].assign(c=lambda q: q["n"].cumsum())[["c"]].reset_index(drop=True),
    "twice": lambda p: p[p["year"] == 2023]["n"].sum() / p[p["year"] == 2024]["n"].sum(),
    "a join with itself": lambda p: p[p["year"] == 2023].merge(p[p["year"] == 2024], on="k")[["n_x", "n_y"]],
    "a look-up": lambda p: p[(p["year"] == 2023) & p["k"].isin(p[p["year"] == 2024]["k"])]["n"].sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANS)
def test_answers_are_those_of_all_files(client: RLMClient, sales: Path, name: str) -> None:
    table = client.table(str(sales))
    expected = client.execute(make_task(pd.DataFrame({"x": [1]}), lambda _: PLANS[name](table)))
    broken(sales, 2020, 2021, 2022)
    found, facts, _ = ran(client, sales, PLANS[name])
    if hasattr(found, "to_pandas"):
        found, expected = found.to_pandas(), expected.to_pandas()
        (pd.testing.assert_frame_equal if found.ndim == 2 else pd.testing.assert_series_equal)(
            found, expected
        )
    else:
        assert found == expected
    assert facts["files_unopened"] >= 3, facts


def test_where_rows_keep_their_numbers_all_are_counted(client: RLMClient, sales: Path) -> None:
    found, facts, _ = ran(client, sales, lambda p: p[p["year"] == 2023])
    assert found.to_pandas().index.tolist() == [6, 7]
    assert (facts["files_pruned"], facts["files_unopened"]) == (5, 0)
    broken(sales, 2020)
    for operation in (lambda p: p[p["year"] == 2023], lambda p: p[p["year"] == 2023]["n"].idxmax()):
        with pytest.raises(SourceUnreadableError, match="year=2020"):
            ran(client, sales, operation)


def test_output_and_python_mode(client: RLMClient, sales: Path, tmp_path: Path) -> None:
    broken(sales, 2020)
    document = task(
        str(sales), str(tmp_path / "out.parquet"), lambda p: p[p["year"] > 2023].reset_index(drop=True)
    )
    assert client.execute(document).rows == 4
    with pytest.raises(SourceUnreadableError, match="year=2020"):
        client.execute(task(str(sales), str(tmp_path / "x"), lambda p: p[p["year"] > 2023], mode="python"))


def test_columns_are_those_of_the_files_that_matter(client: RLMClient, tmp_path: Path) -> None:
    """And of the last one, which is always looked at."""
    parts = [
        ("year=2020", pa.table({"n": [1], "old": ["x"]})),
        ("year=2021", pa.table({"n": pa.array([2], pa.int32()), "mid": [0.5]})),
        ("year=2022", pa.table({"n": [3]})),
        ("year=2023", pa.table({"n": [4], "new": [True]})),
    ]
    root = write(tmp_path, parts)

    def rows(operation: Callable[[Any], Any]) -> tuple[list[Any], list[dict[str, Any]], int]:
        found, facts, _ = ran(client, root, lambda p: operation(p).reset_index(drop=True))
        table = found.to_arrow()
        return table.column_names, table.to_pylist(), facts["files_unopened"]

    names, values, unopened = rows(lambda p: p[p["year"] == 2022])
    assert (names, unopened) == (["n", "new", "year"], 2) and values == [{"n": 3, "new": None, "year": 2022}]
    # Another column: the operation is traced again on what there is.
    names, values, unopened = rows(lambda p: p[p["year"] == 2021])
    assert (names, unopened) == (["n", "mid", "new", "year"], 2)
    assert values == [{"n": 2, "mid": 0.5, "new": None, "year": 2021}]
    # A column that the last one does not have is used: all are looked at.
    total = client.execute(make_task(str(root), lambda p: p[p["year"] == 2021]["mid"].sum()))
    assert total == 0.5
    with pytest.raises(Exception, match="nothing"):
        ran(client, root, lambda p: p[p["year"] == 2021]["nothing"].sum())
    assert client.execute(make_task(str(root), lambda p: list(p.columns))) == [
        "n",
        "old",
        "mid",
        "new",
        "year",
    ]


def test_an_operation_is_traced_once_where_files_agree(client: RLMClient, sales: Path) -> None:
    calls = []

    def operation(p: Any) -> Any:
        calls.append(1)
        return p[p["year"] == 2023]["n"].sum()

    client.execute(make_task(str(sales), operation))
    client.execute(make_task(str(sales), lambda p: (calls.append(1), p[p["year"] == 2023])[1]))
    assert len(calls) == 2


CONDITIONS: list[Callable[[Any], Any]] = [
    lambda p: p["year"] == 2021,
    lambda p: p["year"] > 2021,
    lambda p: (p["year"] != 2022) & (p["n"] > 1),
    lambda p: (p["year"] == 2020) | (p["n"] > 3),
    lambda p: p["year"].isin([2020, 2023]),
    lambda p: ~(p["year"] < 2022),
]
ENDS: list[Callable[[Any], Any]] = [
    lambda p: p.groupby("year")["n"].sum(),
    lambda p: p["n"].sum(),
    lambda p: p[["n", "year"]].reset_index(drop=True),
    lambda p: p[["n"]],
    lambda p: p["n"].idxmin(),
    lambda p: p.sort_values("n", ascending=False).head(2)[["n"]],
    lambda p: p["n"].cumsum(),
]


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=4, max_size=4),
    st.sampled_from(CONDITIONS),
    st.sampled_from(ENDS),
)
@settings(max_examples=60, deadline=None)
def test_nothing_tells_whether_files_were_opened(
    client: RLMClient,
    tmp_path_factory: pytest.TempPathFactory,
    values: list[list[int]],
    condition: Callable[[Any], Any],
    end: Callable[[Any], Any],
) -> None:
    parts = [
        (f"year={2020 + place}", pa.table({"n": pa.array(some, pa.int64())}))
        for place, some in enumerate(values)
    ]
    root = write(tmp_path_factory.mktemp("hive"), parts)
    whole = pd.concat(
        [table.to_pandas().assign(year=int(name[5:])) for name, table in parts], ignore_index=True
    )
    table = client.table(str(root))

    def outcome(run: Callable[[], Any]) -> Any:
        try:
            found = run()
        except Exception as error:
            return type(error), str(error)
        return found.to_pandas().to_dict() if hasattr(found, "to_pandas") else found

    lazily = outcome(lambda: client.execute(make_task(str(root), lambda p: end(p[condition(p)]))))
    eagerly = outcome(lambda: client.execute(make_task(whole, lambda _: end(table[condition(table)]))))
    assert str(lazily) == str(eagerly)


def test_no_request_is_made_for_them(s3: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in s3.environment:
        monkeypatch.delenv(name, raising=False)
    for folder, table in tables():
        pq.write_table(table, tmp_path / "one.parquet")
        body = (tmp_path / "one.parquet").read_bytes()
        s3.boto.put_object(Bucket=BUCKET, Key=f"unopened/{folder}/part.parquet", Body=body)
    with Proxy(s3.endpoint) as proxy:
        options = s3.options | {"aws_endpoint_url": proxy.endpoint}
        for operation, opened in [
            (lambda p: p[p["year"] == 2022]["n"].sum(), {2022, 2025}),
            (lambda p: p[p["year"] == 2022], set(YEARS)),
        ]:
            proxy.fail()
            with RLMClient(threads=2, storage_options=options) as client:
                client.execute(make_task(f"s3://{BUCKET}/unopened", operation))
            asked = {target for method, target in proxy.seen if method == "GET" and "part.parquet" in target}
            assert asked == {
                f"/{BUCKET}/unopened/year%3D{year}/part.parquet" for year in opened
            } or asked == {f"/{BUCKET}/unopened/year={year}/part.parquet" for year in opened}
