"""What `column.str.split(..., expand=True)` gives: pieces to select, or to assign as columns."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import refuse, whole_number

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column

_ADVICE = "Assign the pieces: `p[['a', 'b']] = ...`, or select some: `...[0]`"


class Split:
    """The pieces of the texts of a column, as many as `n` says."""

    __slots__ = ("_call", "_column", "_how", "_limit")
    __hash__ = None  # type: ignore[assignment]
    _is_symbolic = True

    def __init__(self, column: Column, how: tuple[Any, ...], limit: int | None, call: builtins.str) -> None:
        self._column = column
        self._how = how
        self._call = call
        if limit is None:
            refuse(
                f"{call} with `expand=True` makes as many columns as the longest row needs, "
                "which is not known while tracing",
                "Say how many times to split, `n=1`, or take pieces: `.str.split(...).str[0]`",
            )
        self._limit = limit

    def _piece(self, number: int) -> Column:
        return apply("str_split_part", self._column, *self._how, number, call=self._call)  # type: ignore[no-any-return]

    def columns_for(self, count: int) -> list[Column]:
        """As many columns as labels they are assigned to."""
        if count != self._limit + 1:
            refuse(
                f"{self._call} with `n={self._limit}` gives {self._limit + 1} columns, not {count}",
                "Assign to as many labels, or give another `n`",
            )
        return [self._piece(number).rename(number) for number in range(count)]

    def whole(self) -> Any:
        """All pieces, as the columns of a partition."""
        from rlm_hypervisor.partition.text_arguments import frame_of

        return frame_of({number: self._piece(number) for number in range(self._limit + 1)})

    def __getitem__(self, key: Any) -> Any:
        if hasattr(key, "_frame") or callable(key):
            return self.whole()[key]
        numbers = key if isinstance(key, list) else [key]
        for number in numbers:
            if not 0 <= whole_number(self._call, "column", number) <= self._limit:
                refuse(
                    f"{self._call} with `n={self._limit}` has no column {clipped(number)}",
                    "Take a column from 0 to `n`, or give a larger `n`",
                )
        if not isinstance(key, list):
            return self._piece(int(key)).rename(int(key))
        from rlm_hypervisor.partition.text_arguments import frame_of

        return frame_of({int(number): self._piece(int(number)) for number in numbers})

    def __iter__(self) -> NoReturn:
        refuse(f"{self._call} cannot be looped over", _ADVICE)

    def __getattr__(self, name: builtins.str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.whole(), name)

    def __repr__(self) -> builtins.str:
        return f"<pieces of {self._column!r}>"
