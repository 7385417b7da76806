"""Rows drawn by a seed, and rows at the places of a list: `p.sample(frac=0.1, random_state=1)`, `p.take([0, 5])`."""

from __future__ import annotations

import operator
import secrets
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import Operators, apply, wrap
from rlm_hypervisor.partition.positions import places
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, only, refuse, whole_number

if TYPE_CHECKING:
    from rlm_hypervisor import _core

_SEEDS = 2**32
_Self = TypeVar("_Self", bound="Sampling")


def _seed(call: str, random_state: object) -> int:
    """The number that a draw begins with; without one any, which NumPy's global generator chooses."""
    if random_state is None:
        numpy = sys.modules.get("numpy")
        return secrets.randbits(32) if numpy is None else int(numpy.random.randint(0, _SEEDS, dtype="uint32"))
    try:
        seed = operator.index(random_state)  # type: ignore[arg-type]
    except TypeError:
        refuse(
            f"`{call}` takes a whole number for `random_state`, not `{clipped(random_state)}`",
            "A generator is a state that changes with each draw: pass a seed",
            call=call,
            argument="random_state",
        )
    if not 0 <= seed < _SEEDS:
        refuse(
            f"`{call}`: the seed must lie between 0 and 2**32 - 1, not `{seed}`",
            "Give a seed within these bounds: `random_state=1`",
            call=call,
        )
    return seed


def drawn(
    call: str, n: object, frac: object, replace: object, random_state: object
) -> tuple[int, float | None, bool, int]:
    """A draw as the core wants it: so many rows, or else such a share, whether they repeat, and the seed."""
    again = boolean(call, "replace", replace)
    if n is not None and frac is not None:
        refuse(
            f"`{call}` takes a number of rows, `n`, or a share of them, `frac`, not both",
            "Leave one of them out",
            call=call,
        )
    rows, share = 1, None
    if frac is not None:
        if isinstance(frac, bool) or not isinstance(frac, int | float) or not 0 <= frac < float("inf"):
            refuse(
                f"`{call}` takes a share from 0 up for `frac`, not `{clipped(frac)}`",
                "Give a share such as 0.1",
                call=call,
            )
        share = float(frac)
        if share > 1 and not again:
            refuse(
                f"`{call}` of more rows than there are (`frac={share}`) repeats some",
                "Say so: `replace=True`",
                call=call,
            )
    elif n is not None:
        whole = int(n) if isinstance(n, float) and n.is_integer() else n
        rows = whole_number(call, "n", whole)
        if rows < 0:
            refuse(
                f"`{call}` takes a number of rows from 0 up for `n`, not `{rows}`",
                "Give 0 or more",
                call=call,
            )
    return rows, share, again, _seed(call, random_state)


class Sampling:
    """The base of Partition and Column that chooses rows by their places."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def sample(
        self: _Self,
        n: Any = None,
        frac: Any = None,
        replace: bool = False,
        weights: Any = None,
        random_state: Any = None,
        axis: Any = None,
        ignore_index: bool = False,
    ) -> _Self:
        """`n` rows (default 1) or a share `frac` of them, drawn with the seed `random_state`.

        With a seed the rows are those that pandas draws of the whole data, in its order; without one they are
        any, chosen when the operation is traced. The rows are counted first, so what is above is run twice.

        Args:
            n: How many rows.
            frac: Instead of it a share of all rows; above 1 only with `replace`.
            replace: Whether a row may come several times.
            weights: Makes rows more or less likely: a column of the same rows, or the label of one; missing ones
                are 0. All weights are held in memory. Not in a group-by.
            random_state: A whole number from 0 to 2**32 - 1, or None.
            axis: Rows only: 0, "index" or None.
            ignore_index: Number the drawn rows from 0.

        Raises:
            NotDecomposableError: For arguments that are not supported.
            OperationFailedError: While the task runs, where there are fewer rows than `n`.

        >>> import pandas as pd
        >>> from rlm_hypervisor import RLMClient
        >>> data = pd.DataFrame({"x": range(10)})
        >>> def some(p):
        ...     return p.sample(3, random_state=42)["x"]
        >>> RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": some}}).to_pandas().tolist()
        [8, 1, 5]
        """
        call = f"{'DataFrame' if hasattr(self, 'columns') else 'Series'}.sample"
        only(call, axis=(axis, None, 0, "index"))
        draw = drawn(call, n, frac, replace, random_state)
        frame = self._frame.draw(draw) if weights is None else self._weighted(call, draw, weights)
        return type(self)(frame.reset_index(True) if boolean(call, "ignore_index", ignore_index) else frame)  # type: ignore[call-arg]

    def _weighted(self, call: str, draw: tuple[int, float | None, bool, int], weights: Any) -> _core.Frame:
        """A draw by weights."""
        frame = self._frame
        if frame.kind == "frame" and is_label(weights) and weights in frame.columns:
            weights = wrap(frame.column(weights))
        if not isinstance(weights, Operators) or weights._frame.kind != "series":
            refuse(
                f"`{call}` takes a column of the same rows, or the label of one, for `weights`",
                "Assign the weights as a column first: `p.sample(frac=0.1, weights='w')`",
                call=call,
                argument="weights",
            )
        return frame.draw(draw, apply("astype", weights, "float64")._frame)

    def take(self: _Self, indices: Any, axis: Any = 0, **kwargs: Any) -> _Self:
        """The rows at these places, in this order; negative ones count from the end."""
        call = f"{'DataFrame' if hasattr(self, 'columns') else 'Series'}.take"
        only(call, axis=(axis, 0, "index", None), **{name: (value, None) for name, value in kwargs.items()})
        listed = labels_of(indices)
        if listed is None:
            refuse(
                f"`{call}` takes a list of places, not `{clipped(indices)}`",
                "Give a list of row numbers: `p.take([0, 2])`",
                call=call,
            )
        return type(self)(self._frame.draw(places(call, listed)))  # type: ignore[call-arg]
