"""Columns of flags, one for each value: `pd.get_dummies(p["k"])`."""

from __future__ import annotations

from typing import Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, missing_column, only, refuse

_WHY = "its columns are values, which are not known while an operation is traced"
_ADVICE = "Return it, and go on with the answer: `result.to_pandas()`"


class Dummies:
    """A table with a column of flags for each value of some columns: the last step of an operation.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})
    >>> def flagged(p):
    ...     return pd.get_dummies(p, columns=["k"], dtype=int)
    >>> answer = RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": flagged}})
    >>> answer.to_pandas().to_dict("list")
    {'v': [1, 2, 3], 'k_a': [1, 0, 1], 'k_b': [0, 1, 0]}
    """

    __slots__ = ("_encoded", "_frame")
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, frame: _core.Frame, encoded: list[dict[str, Any]]) -> None:
        self._frame = frame
        self._encoded = encoded

    def core(self) -> _core.Frame:
        """The core's form of it."""
        return self._frame.dummies({"encoded": self._encoded})

    def __getitem__(self, key: object) -> NoReturn:
        refuse(f"`[{clipped(key)}]` of what `get_dummies` gives: {_WHY}", _ADVICE, call="pandas.get_dummies")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        refuse(f"`.{name}` of what `get_dummies` gives: {_WHY}", _ADVICE, call="pandas.get_dummies")

    def __bool__(self) -> NoReturn:
        refuse("the truth of what `get_dummies` gives", _ADVICE)

    def __len__(self) -> NoReturn:
        refuse("`len()` of what `get_dummies` gives", _ADVICE)

    def __iter__(self) -> NoReturn:
        refuse(f"iteration over what `get_dummies` gives: {_WHY}", _ADVICE)

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        refuse("turning what `get_dummies` gives into a NumPy array", _ADVICE)

    def __repr__(self) -> str:
        return "<table with a column for each value, not known while tracing>"


def get_dummies(
    data: Any,
    prefix: Any = None,
    prefix_sep: Any = "_",
    dummy_na: bool = False,
    columns: Any = None,
    sparse: bool = False,
    drop_first: bool = False,
    dtype: Any = None,
) -> Dummies:
    """`pd.get_dummies` of a partition or of a column: the last step of an operation, for its columns are values."""
    call = "pandas.get_dummies"
    only(call, sparse=(sparse, False))
    options = {
        "missing": boolean(call, "dummy_na", dummy_na),
        "drop_first": boolean(call, "drop_first", drop_first),
        "dtype": _flag(dtype, call),
    }
    if isinstance(data, Column):
        if prefix is not None and not isinstance(prefix, str):
            refuse(
                f"`{call}` of a column takes a string for `prefix`, not `{clipped(prefix)}`",
                "Give a string, such as 'k'",
                call=call,
            )
        start = None if prefix is None else prefix + _each(prefix_sep, [data.name], call, "prefix_sep")[0]
        return _encoded(data._frame.to_frame(("rlm", "data")).select([]), [data], [start], options, call)
    if not isinstance(data, Partition):
        refuse(
            f"`{call}` takes a partition or a column of it, not `{clipped(data)}`",
            "Give the partition or one of its columns: `pd.get_dummies(p['k'])`",
            call=call,
        )
    frame = data._frame
    if columns is None:
        kinds = zip(frame.columns, frame.dtypes, strict=True)
        chosen = [label for label, kind in kinds if DType(kind) == "object" or DType(kind) == "str"]
    else:
        chosen = labels_of(columns) or []
        if is_label(columns) or not chosen:
            refuse(
                f"`{call}` takes a list of labels for `columns`, not `{clipped(columns)}`",
                "Give a list, also of one label: `columns=['k']`",
                call=call,
            )
    for label in chosen:
        if label not in frame.columns:
            raise missing_column(label, frame.columns, f"`{call}`")
    starts = _each(chosen if prefix is None else prefix, chosen, call, "prefix")
    between = _each(prefix_sep, chosen, call, "prefix_sep")
    kept = frame.drop(list(dict.fromkeys(chosen)))
    found = [Column(frame.column(label)) for label in chosen]
    begin = [f"{start}{sep}" for start, sep in zip(starts, between, strict=True)]
    return _encoded(kept, found, begin, options, call)


def _encoded(
    frame: _core.Frame, columns: list[Column], starts: Any, options: dict[str, Any], call: str
) -> Dummies:
    encoded = []
    for number, (column, start) in enumerate(zip(columns, starts, strict=True)):
        kind = column.dtype.kind
        if kind not in "iufb" and column.dtype != "str" and (kind != "M" or start is None):
            refuse(
                f"`{call}` of a column of type {column.dtype} is not native",
                "Convert it to text first: `p['x'].astype(str)`",
                call=call,
            )
        if start is None and kind in "fb":
            refuse(
                f"`{call}` of a column of type {column.dtype} without `prefix` is not native",
                "Give a prefix, or convert it to text first",
                call=call,
            )
        frame = frame.assign(("rlm", "value", number), column._frame)
        frame = frame.assign(("rlm", "text", number), apply("astype", column, "str")._frame)
        encoded.append({"prefix": start, **options})
    return Dummies(frame, encoded)


def of_lists(lists: Column, dtype: Any, call: str) -> Dummies:
    """What `str.get_dummies` gives of a column of lists of texts."""
    encoded = {"prefix": None, "missing": False, "drop_first": False}
    value, text = ("rlm", "value", 0), ("rlm", "text", 0)
    frame = lists._frame.to_frame(value).assign(text, "")
    return Dummies(frame, [encoded | {"dtype": _flag("int64" if dtype is None else dtype, call)}])


def _flag(dtype: Any, call: str) -> str:
    """The type of the flags, as the core calls it."""
    if dtype is None:
        return "Bool"
    name = getattr(dtype, "__name__", None) or str(dtype)
    name = {"int": "int64", "float": "float64", "bool_": "bool"}.get(name, name)
    known = [
        "bool",
        "float32",
        "float64",
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    ]
    if name not in known:
        refuse(
            f"`{call}` with `dtype={clipped(dtype)}` is not native",
            f"Native are {', '.join(known)}",
            call=call,
        )
    return (
        name.replace("uint", "UInt").replace("int", "Int").replace("bool", "Bool").replace("float", "Float")
    )


def _each(given: Any, columns: list[Any], call: str, name: str) -> list[str]:
    """An argument for each column: one for all, a list, or a dict by label."""
    if isinstance(given, str):
        return [given] * len(columns)
    if isinstance(given, dict):
        for label in columns:
            if label not in given:
                refuse(
                    f"`{call}`: `{name}` has nothing for the column {label!r}",
                    "Name every column in the dict, or give one text for all",
                    call=call,
                )
        return [str(given[label]) for label in columns]
    listed = labels_of(given)
    if listed is None or len(listed) != len(columns):
        refuse(
            f"`{call}` takes one `{name}` for each of the {len(columns)} column(s), in pandas too",
            "Give a list of as many, or one text for all",
            call=call,
        )
    return [str(each) for each in listed]
