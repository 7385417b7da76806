"""Types while tracing: a string that compares like a NumPy dtype, and the mapping `p.dtypes`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from rlm_hypervisor._text import clipped
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
        if isinstance(other, type):
            return str(self) == (_PYTHON.get(other) or other.__name__)
        text = str(other)
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

    def __getitem__(self, label: Any) -> DType:
        if label not in self._pairs:
            raise missing_column(label, self._pairs, f"`p.dtypes[{label!r}]`")
        return self._pairs[label]

    def __iter__(self) -> Iterator[DType]:
        return iter(self._pairs.values())

    def __contains__(self, label: object) -> bool:
        return label in self._pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def keys(self) -> list[Any]:
        """The labels."""
        return list(self._pairs)

    index = property(keys)

    def items(self) -> Iterator[tuple[Any, DType]]:
        """Label and type, one after the other."""
        return iter(self._pairs.items())

    def to_dict(self) -> dict[Any, DType]:
        """The same as a dict."""
        return dict(self._pairs)

    def __eq__(self, other: object) -> NoReturn:
        refuse(
            "comparing all of `p.dtypes` at once is not native in this version",
            "Compare one by one: `[c for c, d in p.dtypes.items() if d == 'float64']`",
            call="DataFrame.dtypes",
        )

    def __ne__(self, other: object) -> NoReturn:
        self.__eq__(other)

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
            "Convert the answer: `result.to_pandas().astype(...)`",
            call=call,
        )
    if not isinstance(dtype, str) and not hasattr(dtype, "kind") and not hasattr(dtype, "name"):
        refuse(
            f"{call} to `{clipped(dtype)}` is not native in this version",
            "Name the type: `'float64'`",
            call=call,
        )
    return _SAME.get(name, name)
