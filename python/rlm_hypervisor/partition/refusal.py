"""How the symbolic objects say no: always by name, with the reason and the way round."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any, NoReturn

from rlm_hypervisor._text import clipped, nearest
from rlm_hypervisor.errors import MissingColumnError, NotDecomposableError

UNKNOWN_VALUES = (
    "while an operation is traced, columns and types are known; row values and row counts are not"
)


def sentence(what: str, advice: str) -> str:
    """One message out of what happened and what to do."""
    what = what.rstrip(".")
    return f"{what}{'' if what.endswith('?') else '.'} {advice.rstrip('.')}"


def refusal(what: str, advice: str, where: str = "", /, **details: Any) -> NotDecomposableError:
    """The one way to say that something is not native: what happened to what, and what to do instead."""
    return NotDecomposableError(sentence(what, advice) + where, details=details)


def refuse(what: str, advice: str, **details: Any) -> NoReturn:
    """Ends the trace."""
    raise refusal(what, advice, **details)


def refuse_value(call: str, advice: str) -> NoReturn:
    """Ends the trace where Python asks for a value that only the data knows."""
    refuse(f"{call} needs the data itself: {UNKNOWN_VALUES}", advice, call=call)


def missing_column(label: object, columns: Iterable[object], call: str) -> MissingColumnError:
    """The error for a label that is not there, with the nearest one."""
    have = list(columns)
    near = (
        nearest(label, [name for name in have if isinstance(name, str)]) if isinstance(label, str) else None
    )
    there = (
        f"did you mean {near!r}?" if near else f"the columns are {', '.join(map(repr, have[:20])) or 'none'}"
    )
    return MissingColumnError(
        f"{call} names column {shown(label)}, which is not there: {there}",
        details={"column": label if isinstance(label, str | int) else shown(label), "nearest": near},
    )


ADVICE_FOR_KEYWORDS = {
    "dayfirst": "Say how the dates are written: `pd.to_datetime(p['t'], format='%d/%m/%Y')`",
    "yearfirst": "Say how the dates are written: `pd.to_datetime(p['t'], format='%y/%m/%d')`",
    "weights": "Draw of all rows instead: `p.sample(n=5, weights='w', random_state=1)`",
    "win_type": "Windows have equal weights here; `ewm` has weights that decay",
    "step": "Take every n-th row of the result: filter by a column of row numbers",
    "freq": "Shift by rows, or add a span to the times: `p['t'] + pd.Timedelta('1D')`",
    "raw": "Write it with column arithmetic and aggregates",
    "engine": "Leave `engine` out: it runs natively already",
    "retbins": "Ask for the edges by themselves: `p['x'].quantile([...])`, `p['x'].min()`",
    "as_index": "Leave it out, and call `reset_index()` on the result",
    "by_row": "Leave `by_row` out",
    "downcast": "Convert afterwards: `.astype('int32')`",
    "inplace": "Assign the result instead: `p = p.method(...)`",
    "key": "Compute the sort key first: `p.assign(key=...).sort_values('key').drop(columns='key')`",
    "level": "Group by the level, and compute in its rows: `s / s.groupby(level=0).transform('sum')`",
    "skipna": "Missing values are always skipped",
    "fill_value": "Fill first: `p['x'].fillna(value)`",
    "limit": "Only whole-column fills are native",
}


def only(call: str, /, **given: tuple[object, ...]) -> None:
    """Refuses keyword arguments that change the meaning: each is `(given, *accepted)`."""
    for name, (value, *accepted) in given.items():
        if any(value is ok or (type(value) is type(ok) and value == ok) for ok in accepted):
            continue
        refuse(
            f"`{call}` with `{name}={clipped(value)}` is not native in this version",
            ADVICE_FOR_KEYWORDS.get(name, f"Leave `{name}` out (its default is `{accepted[0]!r}`)"),
            call=call,
            argument=name,
        )


def boolean(call: str, name: str, value: object) -> bool:
    """A flag: a Python or NumPy bool."""
    if isinstance(value, bool):
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    refuse(
        f"`{call}` takes True or False for `{name}`, not `{clipped(value)}`",
        "Write True or False; of other values make one: `bool(value)`",
        call=call,
        argument=name,
    )


def whole_number(call: str, name: str, value: object) -> int:
    """A whole number, Python's or NumPy's, and not a bool."""
    import operator

    if not isinstance(value, bool):
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    refuse(
        f"`{call}` takes a whole number for `{name}`, not `{clipped(value)}`",
        "Write a whole number; of other values make one: `int(value)`",
        call=call,
        argument=name,
    )


def is_label(value: object) -> bool:
    """What can be the label of a column: a string, a number, a tuple of them (not a list)."""
    return (isinstance(value, str | int) and not isinstance(value, bool)) or type(value) is tuple


def labels_of(value: Any) -> list[Any] | None:
    """A list of labels from any list-like (list, tuple, set, pandas.Index, array); None for anything else."""
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if type(value).__module__.partition(".")[0] in ("pandas", "numpy") and hasattr(value, "tolist"):
        found = value.tolist()
        return list(found) if isinstance(found, list) else None
    if isinstance(value, type({}.keys()) | type({}.values())):
        return list(value)
    return None


def shown(label: Any) -> str:
    """A label in a message: what is not text may be of any size."""
    return repr(label) if isinstance(label, str) else reprlib.repr(label)
