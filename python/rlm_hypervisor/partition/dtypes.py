"""Types while tracing: a string that compares like a NumPy dtype, and the mapping `p.dtypes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.labels import Flags, Labels, flagged
from rlm_hypervisor.partition.refusal import missing_column, refuse

_PYTHON = {bool: "bool", int: "int64", float: "float64", str: "str"}
_SAME = {
    "object": "object",
    "string": "str",
    "float": "float64",
    "int": "int64",
    "boolean": "bool",
    "double": "float64",
}
_NULLABLE = {
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float32",
    "Float64",
    "boolean",
    "category",
}


class DType(str):
    """The name of a type; equals the names, Python types and NumPy dtypes that pandas holds equal to it."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name itself."""
        return str(self)

    @property
    def kind(self) -> str:
        """NumPy's letter for the kind: `i`, `u`, `f`, `b`, `M`, `m`, else `O`."""
        for prefix, letter in (
            ("int", "i"),
            ("uint", "u"),
            ("float", "f"),
            ("bool", "b"),
            ("datetime", "M"),
            ("timedelta", "m"),
        ):
            if self.startswith(prefix):
                return letter
        return "O"

    @property
    def is_number(self) -> bool:
        """Integers, floats and booleans: what `numeric_only=True` keeps. Decimals are not."""
        return self.kind in "iufb"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, type) and other is not object:
            return str(self) == (_PYTHON.get(other) or other.__name__)
        text = "object" if other is object else str(other)
        if text == "object" and self.startswith(("list<", "struct<")):
            return True
        return str(self) == _SAME.get(text, text)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"dtype({str.__repr__(self)})"


class DTypes:
    """The types of a partition's columns by label; like pandas' series of them, it iterates over types."""

    __slots__ = ("_pairs",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, pairs: Mapping[Any, DType]) -> None:
        self._pairs: dict[Any, DType] = dict(pairs)

    def __getitem__(self, label: Any) -> Any:
        chosen = flagged(self._pairs, label, "DataFrame.dtypes") if isinstance(label, Flags | list) else None
        if chosen is not None:
            return DTypes({name: self._pairs[name] for name in chosen})
        if label not in self._pairs:
            raise missing_column(label, self._pairs, f"`p.dtypes[{label!r}]`")
        return self._pairs[label]

    def __iter__(self) -> Iterator[DType]:
        return iter(self._pairs.values())

    def __contains__(self, label: object) -> bool:
        return label in self._pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def keys(self) -> Labels:
        """The labels."""
        return Labels(self._pairs)

    index = property(keys)

    def items(self) -> Iterator[tuple[Any, DType]]:
        """Label and type, one after the other."""
        return iter(self._pairs.items())

    def to_dict(self) -> dict[Any, DType]:
        """The same as a dict."""
        return dict(self._pairs)

    def __eq__(self, other: object) -> Any:
        """Which columns have this type."""
        if isinstance(other, DTypes):
            refuse(
                "comparing `p.dtypes` with those of another partition is not native",
                "Compare one by one: `p.dtypes.to_dict() == q.dtypes.to_dict()`",
                call="DataFrame.dtypes",
            )
        return Flags(bool(dtype == other) for dtype in self._pairs.values())

    def __ne__(self, other: object) -> Any:
        return ~(self == other)

    def __repr__(self) -> str:
        return "\n".join(f"{label}    {dtype!s}" for label, dtype in self._pairs.items())


def target(dtype: object, call: str) -> str:
    """The core's name for what `astype` was given."""
    if isinstance(dtype, type) and dtype in _PYTHON:
        return _PYTHON[dtype]
    if isinstance(dtype, type) and dtype.__module__ == "numpy":
        dtype = {"bool_": "bool", "str_": "str"}.get(dtype.__name__, dtype.__name__)
    name = str(dtype)
    if name in _NULLABLE or name.endswith("[pyarrow]"):
        refuse(
            f"{call} to {name!r} is not native in this version: answers have pandas' default types",
            "Leave it out: texts are grouped and sorted as they are; codes are `pd.factorize(p['x'], sort=True)[0]`"
            if name == "category"
            else "Convert the answer: `result.to_pandas().astype(...)`",
            call=call,
        )
    if not isinstance(dtype, str) and not hasattr(dtype, "kind") and not hasattr(dtype, "name"):
        refuse(
            f"{call} to `{clipped(dtype)}` is not native in this version",
            "Name the type: `'float64'`",
            call=call,
        )
    return _SAME.get(name, name)


_KINDS = {
    "number": ("int", "uint", "float", "timedelta"),
    "integer": ("int", "uint", "timedelta"),
    "signedinteger": ("int", "timedelta"),
    "unsignedinteger": ("uint",),
    "floating": ("float",),
    "int": ("int32", "int64"),
    "float": ("float",),
    "bool": ("bool",),
    "bool_": ("bool",),
    "boolean": ("bool",),
    "str": ("str",),
    "string": ("str",),
    "object": ("str", "object", "date", "decimal", "binary", "list", "struct"),
    "object_": ("str", "object", "date", "decimal", "binary", "list", "struct"),
    "datetime": ("datetime64[s]", "datetime64[ms]", "datetime64[us]", "datetime64[ns]"),
    "datetime64": ("datetime64[s]", "datetime64[ms]", "datetime64[us]", "datetime64[ns]"),
    "timedelta": ("timedelta",),
    "timedelta64": ("timedelta",),
    "category": (),
}
"""What `select_dtypes` is given -> how the names of the types begin."""


def chosen_by_dtype(frame: Any, include: Any, exclude: Any) -> list[Any]:
    """The labels of the columns that `select_dtypes` keeps."""
    call = "DataFrame.select_dtypes"
    wanted = [_prefixes(include, call), _prefixes(exclude, call)]
    if wanted == [None, None]:
        refuse(f"`{call}` needs `include` or `exclude`", "Name types: `p.select_dtypes('number')`", call=call)
    kept, gone = wanted
    return [
        label
        for label, dtype in zip(frame.columns, frame.dtypes, strict=True)
        if (kept is None or _among(dtype, kept)) and (gone is None or not _among(dtype, gone))
    ]


def _among(dtype: str, prefixes: list[str]) -> bool:
    return any(
        dtype == prefix
        or dtype.rstrip("0123456789") == prefix
        or dtype.startswith(f"{prefix}<")
        or (prefix == "timedelta" and dtype.startswith(prefix))
        or (prefix == "datetimetz" and dtype.startswith("datetime64[") and "," in dtype)
        for prefix in prefixes
    )


def _prefixes(given: Any, call: str) -> list[str] | None:
    if given is None:
        return None
    found: list[str] = []
    for item in given if isinstance(given, list | tuple | set) else [given]:
        name = item.__name__ if isinstance(item, type) else str(item)
        if name == "datetimetz":
            found.append(name)
        elif name in _KINDS:
            found += _KINDS[name]
        elif name.startswith(("int", "uint", "float", "datetime64", "timedelta64")):
            found.append(name)
        else:
            refuse(f"`{call}` of {clipped(item)} is not native", "Name a type: 'number', 'str'", call=call)
    return found
