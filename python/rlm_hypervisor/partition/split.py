"""What `column.str.split(...)` gives: pieces to take, to count, or to assign as columns."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import refuse, whole_number

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column

_ADVICE = (
    "Take pieces: `.str[0]`, or with `n` and `expand=True` assign them: `p[['a', 'b']] = ...`, or `...[0]`"
)


class Split:
    """The pieces of the texts of a column; how many there are, only the rows know."""

    __slots__ = ("_call", "_column", "_expand", "_how", "_limit")
    __hash__ = None  # type: ignore[assignment]
    _is_symbolic = True

    def __init__(
        self, column: Column, how: tuple[Any, ...], expand: bool, limit: int | None, call: builtins.str
    ) -> None:
        self._column = column
        self._how = how
        self._expand = expand
        self._limit = limit
        self._call = call
        if expand and limit is None:
            refuse(
                f"{call} with `expand=True` makes as many columns as the longest row needs, "
                "which is not known while tracing",
                "Say how many times to split, `n=1`, or take pieces: `.str.split(...).str[0]`",
            )

    def _piece(self, number: int) -> Column:
        return apply("str_split_part", self._column, *self._how, number, call=self._call)  # type: ignore[no-any-return]

    def columns_for(self, count: int) -> list[Column]:
        """As many columns as labels they are assigned to."""
        if not self._expand or self._limit is None:
            refuse(f"{self._call} gives lists, which cannot be assigned to columns", _ADVICE)
        if count != self._limit + 1:
            refuse(f"{self._call} with `n={self._limit}` gives {self._limit + 1} columns, not {count}")
        return [self._piece(number).rename(number) for number in range(count)]

    @property
    def str(self) -> Pieces:
        """The pieces' own accessor: `.str[0]`, `.str.get(0)`, `.str.len()`."""
        if self._expand:
            refuse(
                f"{self._call} with `expand=True` has no `str`",
                "Leave `expand` out: `.str.split(...).str[0]`",
            )
        return Pieces(self)

    def __getitem__(self, key: Any) -> Any:
        if not self._expand or self._limit is None:
            refuse(f"{self._call} gives lists, which are not native by themselves", _ADVICE)
        numbers = key if isinstance(key, list) else [key]
        for number in numbers:
            if not 0 <= whole_number(self._call, "column", number) <= self._limit:
                refuse(f"{self._call} with `n={self._limit}` has no column {clipped(number)}")
        if not isinstance(key, list):
            return self._piece(int(key)).rename(int(key))
        from rlm_hypervisor.partition.text_arguments import frame_of

        return frame_of({int(number): self._piece(int(number)) for number in numbers})

    def __iter__(self) -> NoReturn:
        refuse(f"{self._call} cannot be looped over", _ADVICE)

    def __getattr__(self, name: builtins.str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        refuse(f"`.{name}` of {self._call} is not native in this version", _ADVICE)

    def __repr__(self) -> builtins.str:
        return f"<pieces of {self._column!r}>"


class Pieces:
    """`column.str.split(...).str`."""

    __slots__ = ("_split",)

    def __init__(self, split: Split) -> None:
        self._split = split

    def __getitem__(self, key: Any) -> Column:
        return self.get(key)

    def get(self, i: int) -> Column:
        """Piece number `i`, negative from the end; missing where there are fewer."""
        return self._split._piece(whole_number(self._split._call, "i", i))

    def len(self) -> Column:
        """How many pieces there are."""
        split = self._split
        return apply("str_split_count", split._column, *split._how, call=split._call)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        refuse(f"`.str.{name}` of {self._split._call} is not native in this version", _ADVICE)
