"""Lists and structs against pandas: carried along, taken apart, collected; by chunks, threads and files."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rlm_hypervisor import NotDecomposableError, OperationFailedError, RLMClient, SchemaMismatchError

from tests.conftest import make_task
from tests.oracle._run import COMBINATIONS

ROWS = 60
WORDS = ["a", "bé", "c,d", "", "naïve, 日本", "long enough to leave its view", "x,y,,z", " b  c ", "1a2b"]


def _table() -> pa.Table:
    rng = random.Random(5)

    def maybe(value: Any, share: float = 0.2) -> Any:
        return None if rng.random() < share else value

    def some(make: Callable[[], Any], most: int = 4, share: float = 0.2) -> Any:
        return maybe([maybe(make(), 0.15) for _ in range(rng.randrange(most))], share)

    def point() -> dict[str, Any]:
        return {"x": maybe(rng.randrange(9)), "y": maybe(rng.choice(WORDS))}

    rows = range(ROWS)
    lengths = [rng.randrange(4) for _ in rows]
    return pa.table(
        {
            "k": pa.array([maybe(rng.choice(["u", "v", "wé"]), 0.1) for _ in rows]),
            "n": pa.array([rng.randrange(100) for _ in rows], pa.int64()),
            "t": pa.array([maybe(rng.choice(WORDS)) for _ in rows]),
            "v": pa.array([maybe(rng.choice([0.0, -0.0, 1.5, math.nan, 2.25])) for _ in rows], pa.float64()),
            "ints": pa.array([some(lambda: rng.randrange(9)) for _ in rows], pa.list_(pa.int64())),
            "full": pa.array([[rng.randrange(9) for _ in range(n)] for n in lengths], pa.list_(pa.int32())),
            "twin": pa.array(
                [[rng.choice(WORDS) for _ in range(n)] or None for n in lengths], pa.list_(pa.string())
            ),
            "words": pa.array([some(lambda: rng.choice(WORDS)) for _ in rows], pa.large_list(pa.string())),
            "floats": pa.array([some(rng.random) for _ in rows], pa.list_(pa.float64())),
            "pairs": pa.array([maybe([1, rng.randrange(9)]) for _ in rows], pa.list_(pa.int16(), 2)),
            "deep": pa.array(
                [some(lambda: [1, None, 3][: rng.randrange(4)]) for _ in rows], pa.list_(pa.list_(pa.int64()))
            ),
            "points": pa.array(
                [some(point) for _ in rows], pa.list_(pa.struct([("x", pa.int64()), ("y", pa.string())]))
            ),
            "s": pa.array(
                [
                    maybe({"a": maybe(n), "b": maybe(rng.choice(WORDS)), "c": maybe({"d": n, "e": [n]})})
                    for n in rows
                ],
                pa.struct(
                    [
                        ("a", pa.int64()),
                        ("b", pa.string()),
                        ("c", pa.struct([("d", pa.int32()), ("e", pa.list_(pa.int64()))])),
                    ]
                ),
            ),
        }
    )


DATA = _table()


def plain(value: Any) -> Any:
    """Lists, arrays and tuples as lists; every missing value as None; numbers as Python's."""
    if isinstance(value, np.ndarray | list | tuple | pd.api.extensions.ExtensionArray):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    return plain(value.item()) if isinstance(value, np.generic) else value


def same(got: Any, expected: Any) -> None:
    """Values, order, index and names; types where pandas has one that says more than `object`."""
    got = got.to_pandas() if hasattr(got, "to_pandas") else got
    expected = expected.item() if isinstance(expected, np.generic) else expected
    assert type(got) is type(expected), f"{got!r}\n{expected!r}"
    if isinstance(expected, pd.DataFrame):
        assert list(got.columns) == list(expected.columns)
        pairs = [(got.iloc[:, n], expected.iloc[:, n]) for n in range(expected.shape[1])]
    elif isinstance(expected, pd.Series):
        assert got.name == expected.name or (got.name is None and expected.name is None)
        pairs = [(got, expected)]
    else:
        assert plain(got) == plain(expected)
        return
    assert list(got.index.names) == list(expected.index.names)
    assert plain(got.index.tolist()) == plain(expected.index.tolist())
    for ours, theirs in pairs:
        assert plain(ours.tolist()) == plain(theirs.tolist()), theirs.name
        wanted, found = str(theirs.dtype).removesuffix("[pyarrow]"), str(ours.dtype).lower()
        known = wanted not in ("object", "string", "large_string", "double") and "<" not in wanted
        numbers = {wanted.rstrip("0123456789"), found.rstrip("0123456789")} <= {"int", "float"}
        if known and not (theirs.isna().any() and (numbers or found == "str")):
            assert found == wanted, f"{theirs.name}: {found}, expected {wanted}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The table as three files with small row groups."""
    folder = tmp_path_factory.mktemp("nested")
    for n, (start, stop) in enumerate(itertools.pairwise([0, 17, 18, ROWS])):
        pq.write_table(DATA.slice(start, stop - start), folder / f"{n}.parquet", row_group_size=11)
    return str(folder)


def everywhere(clients: Any, files: str, operation: Callable[[Any], Any], expected: Any) -> None:
    for number, (chunk, threads) in enumerate(COMBINATIONS):
        source = files if number % 2 else DATA
        same(clients(threads).execute(make_task(source, operation, chunkSize=chunk)), expected)


LISTS = ["ints", "full", "twin", "words", "floats", "pairs", "deep", "points"]
COLUMNS = [*LISTS, "s"]

CARRIED: dict[str, Callable[[Any], Any]] = {
    "all": lambda p: p,
    "selected": lambda p: p[["words", "n", "s"]],
    "filtered": lambda p: p[p["n"] > 40],
    "filtered by missing": lambda p: p[p["ints"].notna() & p["s"].notna()],
    "head": lambda p: p.head(7),
    "tail": lambda p: p.tail(7),
    "sorted": lambda p: p.sort_values("n", kind="stable"),
    "sorted by text": lambda p: p.sort_values(["k", "n"], ascending=[False, True]),
    "largest": lambda p: p.nlargest(5, "n"),
    "assigned": lambda p: p.assign(twice=p["n"] * 2, again=p["words"])[["twice", "again", "points"]],
    "renamed": lambda p: p.rename(columns={"s": "struct"}).drop(columns="ints"),
    "isna": lambda p: p[["ints", "words", "points", "s"]].isna(),
    "counted": lambda p: p[["ints", "words", "points", "s"]].count(),
    "dropna": lambda p: p.dropna(subset=["ints", "s"]),
    "first of groups": lambda p: p.groupby("k")[["ints", "s", "points"]].first(),
    "last of groups": lambda p: p.groupby("k", dropna=False)[["words", "deep"]].last(),
    "count of groups": lambda p: p.groupby("k")[["words", "s"]].count(),
    "head of groups": lambda p: p.groupby("k").head(2),
    "without duplicates": lambda p: p.drop_duplicates("k"),
    "last duplicates": lambda p: p.drop_duplicates(["k", "n"], keep="last"),
    "where": lambda p: p["words"].where(p["n"] > 50),
    "filled by another": lambda p: p["ints"].fillna(p["deep"].str[0]),
    "shifted": lambda p: p["words"].shift(2),
    "indexed": lambda p: p.set_index("k")[["ints", "s"]],
    "column": lambda p: p["points"],
}


@pytest.mark.parametrize("name", CARRIED)
def test_nested_columns_are_carried_along(clients: Any, files: str, name: str) -> None:
    everywhere(clients, files, CARRIED[name], CARRIED[name](DATA.to_pandas()))


def test_tables_together(clients: Any, files: str) -> None:
    whole = DATA.to_pandas()

    def merged(p: Any) -> Any:
        return p[["n", "words", "s"]].merge(p[["n", "ints"]].drop_duplicates("n"), on="n", how="left")

    def outer(p: Any) -> Any:
        left = p[p["n"] < 50][["n", "points"]].drop_duplicates("n")
        return left.merge(p[p["n"] > 20][["n", "deep"]].drop_duplicates("n"), on="n", how="outer")

    def together(p: Any) -> Any:
        return pd.concat([p[["n", "words"]], p[["n", "words", "s"]].head(3)])

    for operation in (merged, outer, together):
        everywhere(clients, files, operation, operation(whole))


def exploded(name: str, frame: bool) -> Callable[[Any], Any]:
    return (lambda p: p[["k", "n", name]].explode(name)) if frame else (lambda p: p[name].explode())


def collected(name: str) -> Callable[[Any], Any]:
    return lambda p: p.groupby("k")[name].agg(list)


EXPLODED: dict[str, Callable[[Any], Any]] = {
    **{f"frame {name}": exploded(name, True) for name in LISTS},
    **{f"column {name}": exploded(name, False) for name in LISTS},
    "ignore_index": lambda p: p[["n", "words"]].explode("words", ignore_index=True),
    "column, ignore_index": lambda p: p["ints"].explode(ignore_index=True),
    "side by side": lambda p: p[["full", "n", "twin"]].explode(["full", "twin"]),
    "the same column twice": lambda p: p[["n"]].assign(a=p["ints"], b=p["ints"]).explode("a"),
    "with an index": lambda p: p.set_index("k")[["words", "n"]].explode("words"),
    "with two levels": lambda p: p.set_index(["k", "n"])["words"].explode(),
    "filtered before": lambda p: p[p["n"] > 50].explode("ints")[["n", "ints"]],
    "filtered after": lambda p: p[["n", "words"]].explode("words").dropna()[["words", "n"]],
    "computed after": lambda p: (
        p[["n", "full"]].explode("full").assign(m=lambda q: q["n"] + 1)[["m", "full"]]
    ),
    "twice": lambda p: p[["n", "deep"]].explode("deep").explode("deep"),
    "head after": lambda p: p.explode("words")[["n", "words"]].head(9),
    "sorted after": lambda p: p[["n", "twin"]].explode("twin").sort_values(["twin", "n"], ignore_index=True),
    "plain columns stay": lambda p: p[["n", "t"]].explode("t"),
    "grouped": lambda p: p[["n", "twin"]].explode("twin").groupby("twin")["n"].sum(),
    "grouped by appearance": lambda p: p[["n", "words"]].explode("words").groupby("words", sort=False).size(),
    "counted": lambda p: p["twin"].explode().value_counts(),
    "numbered": lambda p: p[["k", "words"]].explode("words").groupby("k").cumcount(),
    "split": lambda p: p.assign(part=p["t"].str.split(","))[["n", "part"]].explode("part"),
    "split column": lambda p: p["t"].str.split(",").explode(),
    "merged after": lambda p: (
        p[["n", "words"]]
        .explode("words")
        .merge(pd.DataFrame({"words": ["a", "bé"], "m": [1, 2]}), on="words")
    ),
}


@pytest.mark.parametrize("name", EXPLODED)
def test_lists_are_taken_apart(clients: Any, files: str, name: str) -> None:
    everywhere(clients, files, EXPLODED[name], EXPLODED[name](DATA.to_pandas()))


def test_long_lists_are_taken_apart(clients: Any) -> None:
    lengths = [20_000, 0, 3, 9_000, None, 1]
    lists = [None if n is None else list(range(n)) for n in lengths]
    data = pa.table({"i": list(range(len(lists))), "x": pa.array(lists, pa.list_(pa.int64()))})
    for operation in (
        lambda p: p.explode("x"),
        lambda p: p.explode("x").groupby("i")["x"].sum(),
        lambda p: p["x"].explode(ignore_index=True),
    ):
        for chunk in (1, "auto"):
            got = clients(2).execute(make_task(data, operation, chunkSize=chunk))
            same(got, operation(data.to_pandas()))


TEXTS: dict[str, Callable[[Any], Any]] = {
    "split": lambda p: p["t"].str.split(","),
    "split white space": lambda p: p["t"].str.split(),
    "split once": lambda p: p["t"].str.split(",", n=1),
    "split pattern": lambda p: p["t"].str.split(r"[,\s]", regex=True),
    "rsplit": lambda p: p["t"].str.rsplit(",", n=1),
    "rsplit white space": lambda p: p["t"].str.rsplit(n=1),
    "split, assigned": lambda p: p.assign(parts=p["t"].str.split(","))[["parts"]],
    "split, length": lambda p: p["t"].str.split(",").str.len(),
    "split, first": lambda p: p["t"].str.split(",").str[0],
    "split, last": lambda p: p["t"].str.split(",").str.get(-1),
    "split, far": lambda p: p["t"].str.split(",").str[7],
    "split, slice": lambda p: p["t"].str.split(",").str[1:],
    "split, joined": lambda p: p["t"].str.split(",").str.join("/"),
    "split, reversed": lambda p: p["t"].str.split(",").str[::-1].str.join(","),
    "findall": lambda p: p["t"].str.findall("[a-z]+"),
    "findall, group": lambda p: p["t"].str.findall("([0-9])[a-z]"),
    "findall, optional group": lambda p: p["t"].str.findall("(1)?[a-z]"),
    "findall, flags": lambda p: p["t"].str.findall("É|日", flags=2),
    "findall, length": lambda p: p["t"].str.findall(",").str.len(),
    "extractall": lambda p: p["t"].str.extractall("([a-z])"),
    "extractall, names": lambda p: p["t"].str.extractall("(?P<digit>[0-9])?(?P<letter>[a-z])"),
    "extractall, mixed": lambda p: p["t"].str.extractall("([0-9])?(?P<letter>[a-z])"),
    "extractall, index": lambda p: p.set_index("k")["t"].str.extractall("([a-z])"),
    "extractall, levels": lambda p: p.set_index(["k", "n"])["t"].str.extractall("([a-z])"),
    "extractall, one": lambda p: p["t"].str.extractall("([a-z])")[0],
    "extractall, grouped": lambda p: p["t"].str.extractall("([a-z])").groupby("match").count(),
    "extractall, reset": lambda p: p["t"].str.extractall("(?P<x>[a-z])").reset_index(),
    "lists, first": lambda p: p["ints"].str[0],
    "lists, last": lambda p: p["words"].str[-1],
    "lists, far": lambda p: p["points"].str.get(2),
    "lists, length": lambda p: p["deep"].str.len(),
    "lists, slice": lambda p: p["words"].str[1:3],
    "lists, slice from the end": lambda p: p["ints"].str[-2:],
    "lists, slice method": lambda p: p["floats"].str.slice(0, 3, 2),
    "lists, backwards": lambda p: p["deep"].str[::-1],
    "lists, joined": lambda p: p["words"].str.join("-"),
    "lists of lists": lambda p: p["deep"].str[0].str[0],
    "structs by name": lambda p: p["s"].str["a"],
    "structs by get": lambda p: p["s"].str.get("b"),
    "structs in structs": lambda p: p["s"].str["c"].str["e"],
    "structs in lists": lambda p: p["points"].str[0].str["y"],
    "filtered by length": lambda p: p[p["words"].str.len() > 1][["n", "words"]],
    "summed length": lambda p: p["full"].str.len().sum(),
}


@pytest.mark.parametrize("name", TEXTS)
def test_lists_of_texts_and_values_of_lists(clients: Any, files: str, name: str) -> None:
    everywhere(clients, files, TEXTS[name], TEXTS[name](DATA.to_pandas()))


VALUES: dict[str, Callable[[Any], Any]] = {
    "len": lambda p: p["full"].map(len),
    "apply len": lambda p: p["full"].apply(len),
    "len of a lambda": lambda p: p["full"].apply(lambda x: len(x) * 2),
    "in": lambda p: p["full"].apply(lambda x: 3 in x),
    "in, as condition": lambda p: p[p["full"].apply(lambda x: 3 in x or 5 in x)][["n", "full"]],
    "text in": lambda p: p["twin"].dropna().apply(lambda x: "bé" in x),
    "not in": lambda p: p["full"].apply(lambda x: "a" not in x),
    "item": lambda p: p["full"].apply(lambda x: x[0] if len(x) > 0 else -1),
    "item from the end": lambda p: p["twin"].dropna().apply(lambda x: x[-1].upper()),
    "slice": lambda p: p["full"].apply(lambda x: x[1:]),
    "of rows": lambda p: p.apply(lambda r: len(r["full"]) + r["n"], axis=1),
    "two items": lambda p: p[p["ints"].str.len() > 1]["ints"].apply(lambda x: x[0] + x[1]),
}


@pytest.mark.parametrize("name", VALUES)
def test_functions_of_single_lists(clients: Any, files: str, name: str) -> None:
    everywhere(clients, files, VALUES[name], VALUES[name](DATA.to_pandas()))


ACCESSORS: dict[str, Callable[[Any], Any]] = {
    "list.len": lambda p: p["ints"].list.len(),
    "list.flatten": lambda p: p["words"].list.flatten(),
    "list.flatten, indexed": lambda p: p.set_index("n")["full"].list.flatten(),
    "list.flatten, structs": lambda p: p["points"].list.flatten(),
    "list item": lambda p: p[p["ints"].list.len() > 0]["ints"].list[0],
    "list item from the end": lambda p: p[p["words"].list.len() > 1]["words"].list[-2],
    "list slice": lambda p: p["words"].list[0:2],
    "list slice, step": lambda p: p["ints"].list[0:3:2],
    "list slice, open": lambda p: p["floats"].list[1:],
    "struct.field": lambda p: p["s"].struct.field("a"),
    "struct.field by number": lambda p: p["s"].struct.field(1),
    "struct.field of fields": lambda p: p["s"].struct.field(["c", "d"]),
    "struct.field of numbers": lambda p: p["s"].struct.field([2, 1]),
    "struct.explode": lambda p: p["s"].struct.explode(),
    "struct of list": lambda p: p["points"].list.flatten().struct.field("y"),
    "grouped by field": lambda p: p.assign(b=p["s"].struct.field("b")).groupby("b")["n"].sum(),
    "filtered by field": lambda p: p[p["s"].struct.field("a") > 30][["n"]],
}


@pytest.mark.parametrize("name", ACCESSORS)
def test_accessors_of_arrow_columns(clients: Any, files: str, name: str) -> None:
    """Of columns of Arrow's types, which alone have them in pandas."""
    arrow = DATA.to_pandas(types_mapper=pd.ArrowDtype)
    everywhere(clients, files, ACCESSORS[name], ACCESSORS[name](arrow))


def test_the_types_of_fields(client: RLMClient) -> None:
    found = client.execute(make_task(DATA, lambda p: p["s"].struct.dtypes))
    assert client.execute(
        make_task(DATA, lambda p: [p["s"].dtype == object, p["ints"].dtype == "object"])
    ) == [True, True]
    assert found == {"a": "int64", "b": "str", "c": "struct<d: int32, e: list<int64>>"}


COLLECTED: dict[str, Callable[[Any], Any]] = {
    **{f"list of {name}": collected(name) for name in [*COLUMNS, "n", "t"]},
    "apply": lambda p: p.groupby("k")["v"].apply(list),
    "unsorted": lambda p: p.groupby("k", sort=False, dropna=False)["n"].agg(list),
    "of two keys": lambda p: p.groupby(["k", "t"])["n"].agg(list),
    "several columns": lambda p: p.groupby("k")[["n", "t"]].agg(list),
    "named": lambda p: p.groupby("k").agg(all=("n", list), total=("n", "sum"), texts=("t", list)),
    "beside others": lambda p: p.groupby("k")["n"].agg(["sum", list]),
    "by column": lambda p: p.groupby("k").agg({"n": list, "v": "count"}),
    "as columns": lambda p: p.groupby("k", as_index=False)["n"].agg(list),
    "tolist": lambda p: p.groupby("k")["n"].agg(lambda s: s.tolist()),
    "computed": lambda p: p.assign(m=p["n"] * 2).groupby("k")["m"].agg(list),
    "many groups": lambda p: p.groupby("n")["t"].agg(list),
    "bins of time": lambda p: (
        p.assign(d=pd.to_datetime(p["n"] * 86400 * 10**9)).set_index("d").resample("20D")["n"].agg(list)
    ),
    "and taken apart": lambda p: p.groupby("k")["n"].agg(list).explode(),
    "and measured": lambda p: p.groupby("k")["t"].agg(list).str.len(),
    "after explode": lambda p: p[["k", "twin"]].explode("twin").groupby("k")["twin"].agg(list),
    "unique": lambda p: p.groupby("k")["n"].unique(),
    "unique texts": lambda p: p.groupby("k")["t"].unique(),
    "unique floats": lambda p: p.groupby("k")["v"].unique(),
    "unique of each": lambda p: p.groupby("k")["t"].agg(lambda s: s.unique()),
}


@pytest.mark.parametrize("name", COLLECTED)
def test_values_of_groups_are_collected(clients: Any, files: str, name: str) -> None:
    everywhere(clients, files, COLLECTED[name], COLLECTED[name](DATA.to_pandas()))


def test_the_other_operator_collects_alike(files: str) -> None:
    with RLMClient(threads=2, grouping="datafusion") as client:
        for name in (
            "list of points",
            "unsorted",
            "of two keys",
            "beside others",
            "unique texts",
            "after explode",
        ):
            got = client.execute(make_task(files, COLLECTED[name], chunkSize=7))
            same(got, COLLECTED[name](DATA.to_pandas()))


def test_many_small_parts_are_collected(clients: Any) -> None:
    rows = 2_000
    data = pa.table(
        {"k": [n * n % 7 for n in range(rows)], "x": [None if n % 5 == 0 else str(n) for n in range(rows)]}
    )
    for chunk in (1, 3, "auto"):
        got = clients(4).execute(make_task(data, lambda p: p.groupby("k")["x"].agg(list), chunkSize=chunk))
        same(got, data.to_pandas().groupby("k")["x"].agg(list))


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "grouped by": (
        lambda p: p.groupby("ints")["n"].sum(),
        "column 'ints' of type list<int64> cannot be grouped",
    ),
    "grouped by struct": (lambda p: p.groupby("s")["n"].sum(), "column 's' of type struct"),
    "counted": (lambda p: p["words"].value_counts(), "'words'"),
    "nunique": (lambda p: p["words"].nunique(), "column 'words'.*type list<str>"),
    "unique": (lambda p: p["words"].unique(), "'words' of type list<str>"),
    "duplicates": (lambda p: p.drop_duplicates(), "cannot be compared for duplicates"),
    "sorted": (lambda p: p.sort_values("ints"), "no order"),
    "compared": (lambda p: p["ints"] == p["ints"], "column 'ints'.*cannot be computed"),
    "added": (lambda p: p["ints"] + p["ints"], "cannot be computed"),
    "isin": (lambda p: p["words"].isin(["a"]), "isin"),
    "merged on": (
        lambda p: p[["ints"]].merge(p[["ints", "n"]], on="ints"),
        "column 'ints' of type list<int64>",
    ),
    "largest": (lambda p: p["ints"].max(), "column 'ints'.*max"),
    "sum": (lambda p: p.groupby("k")["ints"].sum(), "'ints'"),
    "mean": (lambda p: p.groupby("k")["s"].mean(), "'s'"),
    "rank": (lambda p: p["ints"].rank(), "column 'ints'.*rank"),
    "cumsum": (lambda p: p["ints"].cumsum(), "column 'ints'.*cumsum"),
    "rolling": (lambda p: p["ints"].rolling(2).sum(), "sum"),
    "diff": (lambda p: p["ints"].diff(), "column 'ints'.*diff"),
    "astype": (lambda p: p["ints"].astype(str), "astype"),
    "fillna": (lambda p: p["ints"].fillna(0), "fillna"),
    "explode of structs": (lambda p: p.explode("s"), "column 's' is struct"),
    "sets": (lambda p: p.groupby("k")["n"].agg(set), "as a set"),
    "upper": (lambda p: p["words"].str.upper(), "upper"),
    "joined numbers": (lambda p: p["ints"].str.join(","), "lists of int64"),
    "findall of groups": (lambda p: p["t"].str.findall("(a)(b)"), "several groups"),
    "index of lists": (lambda p: p.set_index("ints").sort_index(), "no order"),
    "truth": (lambda p: p["full"].apply(lambda x: 1 if x else 0), "truth of a list"),
    "class": (lambda p: p["full"].apply(lambda x: isinstance(x, list)), "class of a list"),
    "loops": (lambda p: p["full"].apply(lambda x: [i + 1 for i in x]), "iteration"),
    "fields by functions": (lambda p: p["s"].apply(lambda x: x["a"]), "Take fields"),
    "negative slice": (lambda p: p["ints"].list[-2:], "negative"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused_while_tracing(client: RLMClient, name: str) -> None:
    operation, message = REFUSED[name]
    with pytest.raises((NotDecomposableError, SchemaMismatchError), match=message.replace("(", r"\(")):
        client.execute(make_task(DATA, operation))


def test_failures_that_only_the_rows_show(client: RLMClient) -> None:
    with pytest.raises(OperationFailedError, match="not as long"):
        client.execute(make_task(DATA, lambda p: p.explode(["full", "words"])))
    with pytest.raises(OperationFailedError, match="no len"):
        client.execute(make_task(DATA, lambda p: p["ints"].apply(len)))
    with pytest.raises(OperationFailedError, match="out of range"):
        client.execute(make_task(DATA, lambda p: p["full"].apply(lambda x: x[0])))
    with pytest.raises(OperationFailedError, match="values only"):
        client.execute(make_task(DATA, lambda p: p["ints"].list[0]))


def test_answers_go_out_as_they_came(client: RLMClient, tmp_path: Path) -> None:
    answer = client.execute(make_task(DATA, lambda p: p, chunkSize=7))
    wanted = {name: plain(DATA[name].to_pylist()) for name in COLUMNS}
    assert {name: plain(answer.to_arrow()[name].to_pylist()) for name in COLUMNS} == wanted
    assert {name: plain(answer.to_polars()[name].to_list()) for name in COLUMNS} == wanted
    answer.write.parquet(tmp_path / "out.parquet")
    again = pq.read_table(tmp_path / "out.parquet")
    assert {name: plain(again[name].to_pylist()) for name in COLUMNS} == wanted
    assert plain(answer.to_dict()["points"]) == wanted["points"]
    assert "struct" in repr(answer) or "{" in repr(answer)


def test_lists_from_pandas_itself(client: RLMClient) -> None:
    frame = pd.DataFrame({"x": [[1, 2], None, []], "y": [{"a": 1}, None, {"a": 3}]})
    same(client.execute(make_task(frame, lambda p: p.explode("x"))), frame.explode("x"))
    assert client.execute(make_task(frame, lambda p: p["y"].str["a"].sum())) == 4
