"""Options of CSV files, beside `pandas.read_csv` with the same ones; what makes no sense is refused by name."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rlm_hypervisor import InvalidTaskError, RLMClient, SourceUnreadableError

from tests.conftest import make_task

QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def read(client: RLMClient, path: Path | str, options: Mapping[str, Any], **more: Any) -> pa.Table:
    table: pa.Table = client.execute(
        make_task(str(path), lambda p: p, readOptions=options, **more)
    ).to_arrow()
    return table


def same(ours: Any, theirs: Any) -> bool:
    if pd.isna(ours) or pd.isna(theirs):
        return bool(pd.isna(ours) and pd.isna(theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-15) or ours == theirs
    return bool(ours == theirs or str(ours) == str(theirs))


def assert_same(found: pa.Table, wanted: pd.DataFrame) -> None:
    ours = found.to_pandas()
    assert list(ours.columns) == [str(name) for name in wanted.columns]
    assert len(ours) == len(wanted)
    for place, name in enumerate(ours.columns):
        pairs = list(zip(ours[name], wanted.iloc[:, place], strict=True))
        assert all(same(a, b) for a, b in pairs), (name, pairs)


VALUES = st.sampled_from(
    ["", "NA", "nan", "-", "-999", "999.0", "999", "1", "-7", " 4", "2.5", "True", "false", "x", "a,b", "a;b", "a|b",
     'say "no"', "it's", "two\nlines", "Zürich", " padded ", "back\\slash", "#note", "n#1", "missing"]
)  # fmt: skip


@settings(deadline=None, max_examples=250, suppress_health_check=QUIET)
@given(data=st.data())
def test_options_are_those_of_pandas(client: RLMClient, tmp_path: Path, data: st.DataObject) -> None:
    columns = data.draw(st.integers(2, 4))
    numbers = st.sampled_from(["1", "-999", "999", "2.5", "999.0", ""])
    kinds = [
        data.draw(st.sampled_from([VALUES, numbers, st.sampled_from(["True", "False"])]))
        for _ in range(columns)
    ]
    rows = data.draw(st.lists(st.tuples(*kinds), min_size=1, max_size=8))
    sep = data.draw(st.sampled_from([",", ";", "|", "\t", ":"]))
    quote = data.draw(st.sampled_from(['"', "'"]))
    escape = data.draw(st.sampled_from([None, None, "\\"]))
    comment = data.draw(st.sampled_from([None, None, "#", "~"]))
    header = data.draw(st.booleans())
    names = [f"n{n}" for n in range(columns)] if data.draw(st.booleans()) else None
    na_values = data.draw(st.sampled_from([None, "-", ["missing", "-999"], [999], [-999, "x"]]))
    keep_default = data.draw(st.sampled_from([None, None, False]))
    skip = data.draw(st.integers(0, 2))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))

    text = io.StringIO()
    # Lines before the table, and a line of its own that is a comment, where there are any.
    for number in range(skip):
        text.write(f"line {number} to skip{end}")
    writer = csv.writer(
        text,
        delimiter=sep,
        quotechar=quote,
        lineterminator=end,
        escapechar=escape,
        doublequote=escape is None or data.draw(st.booleans()),
        quoting=data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
    )
    if header:
        writer.writerow([f"c{n}" for n in range(columns)])
    for row in rows:
        if comment and data.draw(st.integers(0, 3)) == 0:
            text.write(f"{comment} a comment{sep}{sep}{sep}{sep}{sep}{end}")
        writer.writerow(row)
    path = tmp_path / "a.csv"
    path.write_text(
        text.getvalue(), encoding="utf-8-sig" if data.draw(st.booleans()) else "utf-8", newline=""
    )

    try:
        wanted = pd.read_csv(
            path,
            sep=sep,
            quotechar=quote,
            escapechar=escape,
            comment=comment,
            header=0 if header else None,
            names=names,
            na_values=na_values,
            keep_default_na=keep_default is not False,
            skiprows=skip,
            encoding="utf-8-sig",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        wanted = None
    if wanted is not None and not isinstance(wanted.index, pd.RangeIndex):
        # Rows longer than the names: pandas makes an index of what is too much, here it is an error.
        wanted = None
    options: dict[str, Any] = {"sep": sep, "quote": quote, "header": header}
    for key, value in {
        "escape": escape,
        "comment": comment,
        "names": names,
        "naValues": na_values,
        "keepDefaultNa": keep_default,
        "skipRows": skip or None,
    }.items():
        if value is not None:
            options[key] = value
    chunk = data.draw(st.sampled_from([1, 3, 100]))
    try:
        found = read(client, path, options, chunkSize=chunk)
    except SourceUnreadableError:
        assert wanted is None, (wanted, path.read_text())
        return
    if wanted is not None:
        assert_same(found, wanted)


def test_names_that_pandas_and_spark_have_lead_to_ours(client: RLMClient, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a;b\n1;2\n")
    for theirs, ours in {
        "delimiter": "sep",
        "quotechar": "quote",
        "parse_dates": "dates",
        "nullValue": "naValues",
        "skiprows": "skipRows",
        "seperator": "sep",
        "naValue": "naValues",
        "dtyp": "dtype",
    }.items():
        with pytest.raises(
            InvalidTaskError, match=rf'input\.readOptions\.{theirs} is no read option.*"{ours}"'
        ):
            read(client, path, {theirs: ";"})
    assert client.execute(make_task(str(path), lambda p: p["b"].sum(), readOptions={"sep": ";"})) == 2
    # Both spellings, as everywhere in a task.
    assert read(client, path, {"sep": ";", "na_values": ["1"]})["a"].null_count == 1
    assert list(client.table(str(path), read_options={"sep": ";"}).columns) == ["a", "b"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "two characters": ({"sep": "::"}, "one character"),
    "no ASCII": ({"sep": "§"}, "one character"),
    "the same twice": ({"sep": "#", "comment": "#"}, "`sep`"),
    "a header that is a number": ({"header": 0}, "True, or False or None"),
    "a name twice": ({"names": ["a", "a"]}, "`a` twice"),
    "no list of names": ({"names": "a"}, "a list of strings"),
    "no type": ({"dtype": {"a": "flaot64"}}, 'dtype.a is "flaot64".*float64'),
    "a category": ({"dtype": {"a": "category"}}, "category"),
    "a list of types": ({"dtype": ["int64"]}, "dict of column names"),
    "a column that is not there": ({"dtype": {"aa": "int64"}}, "dtype has the column `aa`.*`a`"),
    "dates that are not there": ({"dates": ["when"]}, "dates has the column `when`"),
    "dates of another type": ({"dates": ["a"], "dtype": {"a": "int64"}}, "of times"),
    "a format": ({"dates": {"a": "%Q"}}, "%Q"),
    "no dates": ({"dates": []}, "names no column"),
    "negative": ({"skipRows": -1}, "an integer"),
    "by column": ({"naValues": {"a": "x"}}, "hold for all columns"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_by_name(client: RLMClient, tmp_path: Path, case: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    options, why = WRONG[case]
    with pytest.raises(InvalidTaskError, match=why) as caught:
        read(client, path, options)
    assert str(caught.value.details["path"]).startswith("input.readOptions")
    with pytest.raises(InvalidTaskError, match=why):
        client.table(str(path), read_options=options)  # type: ignore[arg-type]


def test_formats_refuse_what_they_do_not_take(client: RLMClient, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n')
    for name, title in (("a.parquet", "Parquet"), ("a.jsonl", "JSON lines")):
        with pytest.raises(InvalidTaskError, match=rf"readOptions\.sep is no option of {title} files.*CSV"):
            read(client, tmp_path / name, {"sep": ";"})
        assert read(client, tmp_path / name, {}).num_rows == 1
        assert read(client, tmp_path / name, {"sep": None}).num_rows == 1
    with pytest.raises(InvalidTaskError, match="for files, and the source is Arrow data"):
        client.execute(make_task(pa.table({"a": [1]}), lambda p: p, readOptions={"sep": ";"}))
    with pytest.raises(InvalidTaskError, match="for files"):
        client.table(pa.table({"a": [1]}), read_options={"sep": ";"})


def test_a_header_may_be_none_as_in_pandas(client: RLMClient, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,x\n2,y\n")
    for options in ({"header": None}, {"header": False}):
        assert_same(read(client, path, options), pd.read_csv(path, header=None))
    assert_same(read(client, path, {"names": ["a", "b"]}), pd.read_csv(path, names=["a", "b"]))
    wide = read(client, path, {"names": ["a", "b", "c"]})
    assert_same(wide, pd.read_csv(path, names=["a", "b", "c"]))
    with pytest.raises(SourceUnreadableError, match=r"a\.csv.*line 1 has 2 fields"):
        read(client, path, {"names": ["a"]})
    with pytest.raises(SourceUnreadableError, match="2 names, and the option `names` 1"):
        read(client, path, {"names": ["a"], "header": True})


def test_without_quotes_they_are_ordinary(client: RLMClient, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n"x,1\ny",2\n')
    found = read(client, path, {"quote": ""})
    assert_same(found, pd.read_csv(path, quoting=csv.QUOTE_NONE))
    assert found["a"].to_pylist() == ['"x', 'y"']


DECLARED: dict[str, tuple[Any, list[str], pa.DataType, list[Any]]] = {
    "int8": ("int8", ["1", " -7", ""], pa.int8(), [1, -7, None]),
    "Int32": ("Int32", ["1", "NA"], pa.int32(), [1, None]),
    "int, a class": (int, ["1", "2"], pa.int64(), [1, 2]),
    "numpy's class": (np.uint16, ["1", "65535"], pa.uint16(), [1, 65535]),
    "float32": ("float32", ["1", "2.5"], pa.float32(), [1.0, 2.5]),
    "float of whole numbers": (float, ["1", "2"], pa.float64(), [1.0, 2.0]),
    "str of numbers": (str, ["007", "1.50"], pa.large_string(), ["007", "1.50"]),
    "object": ("object", ["007", ""], pa.large_string(), ["007", None]),
    "bool": ("bool", ["True", "false"], pa.bool_(), [True, False]),
    "date": ("date", ["2024-02-29", ""], pa.date32(), [datetime.date(2024, 2, 29), None]),
    "decimal": ("decimal(9, 2)", ["1.5", "-0.05"], pa.decimal128(9, 2), [decimal.Decimal("1.50"), decimal.Decimal("-0.05")]),
    "nanoseconds": (
        "datetime64[ns]", ["2024-01-31 10:00:00.000000001"], pa.timestamp("ns"),
        [pd.Timestamp("2024-01-31 10:00:00.000000001")],
    ),
    "seconds": ("datetime64[s]", ["2024-01-31T10:00"], pa.timestamp("s"), [datetime.datetime(2024, 1, 31, 10)]),
    "a zone": (
        "datetime64[us, UTC]", ["2024-01-31 10:00+02:00"], pa.timestamp("us", "UTC"),
        [datetime.datetime(2024, 1, 31, 8, tzinfo=datetime.UTC)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DECLARED)
@pytest.mark.parametrize("every", [False, True])
def test_declared_types(client: RLMClient, tmp_path: Path, case: str, every: bool) -> None:
    dtype, texts, arrow, values = DECLARED[case]
    path = tmp_path / "a.csv"
    path.write_text("v\n" + "".join(f'"{text}"\n' for text in texts))
    found = read(client, path, {"dtype": dtype if every else {"v": dtype}}, chunkSize=1)
    assert found.schema.field("v").type == arrow or pa.types.is_string_view(found.schema.field("v").type)
    assert found["v"].to_pylist() == values


REFUSED: dict[str, tuple[str, str, str]] = {
    "a fraction": ("int64", "1.0", "it is no int64"),
    "too large": ("int8", "128", "it is no int8"),
    "negative": ("uint8", "-1", "it is no uint8"),
    "a text": ("float64", "x", "it is no float64"),
    "no truth": ("bool", "1", "it is no bool"),
    "a day that is not there": ("date", "2023-02-29", "no time of the format ISO 8601"),
    "a time for a date": ("date", "2023-02-28 10:00", "time of the day"),
    "digits that are lost": ("decimal(9, 2)", "1.005", "it is no decimal"),
    "nanoseconds that are lost": ("datetime64[us]", "2024-01-01 00:00:00.000000001", "cannot hold"),
    "a zone": ("datetime64[us]", "2024-01-01 00:00Z", "time zone"),
    "no zone": ("datetime64[us, UTC]", "2024-01-01 00:00", "no time zone"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_are_not_of_their_type_are_named(client: RLMClient, tmp_path: Path, case: str) -> None:
    dtype, text, why = REFUSED[case]
    path = tmp_path / "a.csv"
    good = {"bool": "True", "date": "2024-01-01"}.get(dtype, "")
    path.write_text(f"n,v\n1,{good}\n\n2,{text}\n")
    with pytest.raises(SourceUnreadableError) as caught:
        read(client, path, {"dtype": {"v": dtype}})
    for part in ("a.csv", "line 4", "column `v`", f"'{text}'", why):
        assert part in str(caught.value)


@settings(deadline=None, max_examples=60, suppress_health_check=QUIET)
@given(data=st.data())
def test_dates_are_those_of_pandas(client: RLMClient, tmp_path: Path, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from([None, "%d.%m.%Y", "%m/%d/%y %H:%M", "%Y%m%d %H%M%S", "%d %b %Y"]))
    whens = data.draw(
        st.lists(
            st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2060, 1, 1)), min_size=1, max_size=6
        )
    )
    texts = [when.strftime(form or "%Y-%m-%d %H:%M:%S") for when in whens]
    if data.draw(st.booleans()):
        texts.append("")
    path = tmp_path / "a.csv"
    path.write_text("when,n\n" + "".join(f"{text},1\n" for text in texts))
    wanted = pd.read_csv(path, parse_dates=["when"], date_format=form)
    dates: Any = {"when": form} if form else data.draw(st.sampled_from(["when", ["when"], {"when": None}]))
    found = read(client, path, {"dates": dates}, chunkSize=data.draw(st.sampled_from([1, 100])))
    assert found.schema.field("when").type == pa.timestamp("us")
    assert (
        found["when"].to_pandas().astype("datetime64[ns]").tolist()
        == wanted["when"].astype("datetime64[ns]").tolist()
    )


def test_types_are_those_of_all_files_together(client: RLMClient, tmp_path: Path) -> None:
    """A directory is its files one after another: what is a text in one is a text in all, as it is written."""
    (tmp_path / "1.csv").write_text("a,b,c\n007,,1\n")
    (tmp_path / "2.csv").write_text("a,b,c\nx,True,\n")
    (tmp_path / "3.csv").write_text("a,b,c\n3,,18446744073709551615\n")
    found = read(client, tmp_path, {}, chunkSize=1)
    assert found["a"].to_pylist() == ["007", "x", "3"]
    assert found["b"].to_pylist() == [None, True, None]
    assert found["c"].to_pylist() == [1, None, 2**64 - 1]
    whole = tmp_path / "whole.txt"
    whole.write_text("a,b,c\n007,,1\nx,True,\n3,,18446744073709551615\n")
    assert found.equals(read(client, whole, {}, format="csv"))


def test_declared_columns_may_be_in_some_files(client: RLMClient, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a\n1\n")
    (tmp_path / "2.csv").write_text("a,b\n2,3\n")
    found = read(client, tmp_path, {"dtype": {"b": "int16", "a": "float64"}})
    assert found["a"].to_pylist() == [1.0, 2.0]
    assert found["b"].to_pylist() == [None, 3]
    assert found.schema.field("b").type == pa.int16()
