"""Windows that move over the rows: `p["x"].rolling(3).mean()`, `expanding()`, and those of groups."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import (
    boolean,
    missing_column,
    only,
    refuse,
    refuse_value,
    whole_number,
)
from rlm_hypervisor.partition.rolling_times import Times, is_span, nanoseconds, ticks, times_of
from rlm_hypervisor.partition.surface import SURFACES, unknown_attribute
from rlm_hypervisor.partition.text_arguments import frame_of

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition

Run = Callable[..., Any]
"""A window function by name with its options, over numbers only or all columns (and `times`): the answer."""


class Select:
    """How columns are selected from windows over several: the owner of the columns, and the windows' times."""

    __slots__ = ("_owner", "_times")

    def __init__(self, owner: Any, times: Times | None) -> None:
        self._owner = owner
        self._times = times

    def __call__(self, key: Any) -> Run:
        """The windows over one column, or over some."""
        run: Run = self._owner[key]._moving
        return run if self._times is None else partial(run, times=self._times)

    def labels(self) -> list[Any]:
        """The columns that windows are over, without that of the times."""
        owner, on = self._owner, None if self._times is None else self._times.on
        labels = list(owner._columns()) if hasattr(owner, "_columns") else owner._frame.columns
        return [label for label in labels if on is None or label != on]


def number(call: str, name: str, value: object) -> float:
    """A number that is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        refuse(
            f"`{call}` takes a number for `{name}`, not `{clipped(value)}`",
            "Give a number: `span=7`",
            call=call,
            argument=name,
        )
    return float(value)


class Moving:
    """What all kinds of windows have in common."""

    __slots__ = ("_options", "_run", "_select")
    _is_symbolic = True
    _surface = "Rolling"
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, run: Run, options: list[Any], select: Select | None = None) -> None:
        self._run = run
        self._options = options
        self._select = select

    def __getitem__(self, key: Any) -> Any:
        """The same windows over one column, or over a list of columns."""
        if self._select is None:
            refuse(
                f"`[{clipped(key)}]` of {self._surface} windows of one column",
                "Leave the selection out, or select before: `p[['x', 'y']].rolling(3)`",
            )
        return type(self)(self._select(key), self._options)

    def _call(self, name: str) -> str:
        return f"{self._surface}.{name}"

    def _engine(self, name: str, engine: object, engine_kwargs: object) -> None:
        only(self._call(name), engine=(engine, None), engine_kwargs=(engine_kwargs, None))

    @property
    def ndim(self) -> int:
        """1 for the windows of a column, 2 for those of several."""
        return 1 if self._select is None else 2

    def agg(self, func: Any = None, *args: Any, **kwargs: Any) -> Any:
        """One aggregate of the windows by name, or several: a list, or a dict by column. Your own functions are refused."""
        call = f"`{self._call('agg')}`"
        known = fn.WINDOWED if self._surface != "ExponentialMovingWindow" else ("mean", "sum", "std", "var")
        if isinstance(func, str) and func in known:
            return getattr(self, func)(*args, **kwargs)
        fn.reject_arguments(call, args, kwargs)
        if fn.is_list(func) or isinstance(func, dict):
            return several(self, func, known, call)
        return self._by(fn.function(func, known, call), known, call)

    def _by(self, found: fn.Function, known: tuple[str, ...], call: str) -> Any:
        if found.traced is not None:
            refuse(f"{call} of a function of your own is not native", f"Native are {', '.join(known)}")
        return getattr(self, found.name)(**found.params)

    aggregate = agg

    def __iter__(self) -> NoReturn:
        refuse_value("iteration over windows", "Aggregate them: `.mean()`")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._select is not None and name not in SURFACES[self._surface]:
            return self[name]
        unknown_attribute(self, self._surface, name, ())

    def __repr__(self) -> str:
        return f"<{self._surface} windows, their rows not known while tracing>"


class Rolling(Moving):
    """Windows of a fixed number of rows.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"x": [1.0, 2.0, 6.0]})
    >>> def smooth(p):
    ...     return p["x"].rolling(2, min_periods=1).mean()
    >>> answer = RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": smooth}})
    >>> answer.to_pandas().tolist()
    [1.0, 1.5, 4.0]
    """

    __slots__ = ()

    def _of(
        self,
        what: str,
        numeric_only: object,
        ddof: int = 1,
        quantile: float = 0.5,
        interpolation: str = "linear",
    ) -> Any:
        numbers = boolean(self._call(what), "numeric_only", numeric_only)
        options = [what, *self._options, ddof, quantile, interpolation]
        return self._run("rolling", options, numbers)

    def pipe(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """`func(self, *args, **kwargs)`."""
        return func(self, *args, **kwargs)

    def sum(self, numeric_only: bool = False, engine: object = None, engine_kwargs: object = None) -> Any:
        """The sum of each window."""
        self._engine("sum", engine, engine_kwargs)
        return self._of("sum", numeric_only)

    def mean(self, numeric_only: bool = False, engine: object = None, engine_kwargs: object = None) -> Any:
        """The mean of each window."""
        self._engine("mean", engine, engine_kwargs)
        return self._of("mean", numeric_only)

    def min(self, numeric_only: bool = False, engine: object = None, engine_kwargs: object = None) -> Any:
        """The smallest value of each window."""
        self._engine("min", engine, engine_kwargs)
        return self._of("min", numeric_only)

    def max(self, numeric_only: bool = False, engine: object = None, engine_kwargs: object = None) -> Any:
        """The largest value of each window."""
        self._engine("max", engine, engine_kwargs)
        return self._of("max", numeric_only)

    def count(self, numeric_only: bool = False) -> Any:
        """How many values of each window are not missing."""
        return self._of("count", numeric_only)

    def std(
        self,
        ddof: int = 1,
        numeric_only: bool = False,
        engine: object = None,
        engine_kwargs: object = None,
    ) -> Any:
        """The standard deviation of each window, with `n - ddof` in the denominator."""
        self._engine("std", engine, engine_kwargs)
        return self._of("std", numeric_only, whole_number(self._call("std"), "ddof", ddof))

    def var(
        self,
        ddof: int = 1,
        numeric_only: bool = False,
        engine: object = None,
        engine_kwargs: object = None,
    ) -> Any:
        """The variance of each window, with `n - ddof` in the denominator."""
        self._engine("var", engine, engine_kwargs)
        return self._of("var", numeric_only, whole_number(self._call("var"), "ddof", ddof))

    def median(self, numeric_only: bool = False, engine: object = None, engine_kwargs: object = None) -> Any:
        """The median of each window."""
        self._engine("median", engine, engine_kwargs)
        return self._of("quantile", numeric_only)

    def quantile(self, q: float, interpolation: str = "linear", numeric_only: bool = False) -> Any:
        """The quantile `q` of each window, between 0 and 1."""
        call = self._call("quantile")
        only(call, interpolation=(interpolation, "linear", "lower", "higher", "midpoint", "nearest"))
        share = number(call, "q", q)
        if not 0 <= share <= 1:
            refuse(
                f"`{call}` takes a `q` between 0 and 1, not {q!r}",
                "Give a part of 1: 0.5 for the median",
                call=call,
            )
        return self._of("quantile", numeric_only, 1, share, interpolation)

    def sem(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """The standard error of each window's mean."""
        return self.std(ddof, numeric_only) / self.count(numeric_only) ** 0.5

    def skew(self, numeric_only: bool = False) -> Any:
        """The unbiased skewness of each window; missing for fewer than three values."""
        return self._of("skew", numeric_only)

    def kurt(self, numeric_only: bool = False) -> Any:
        """The unbiased excess kurtosis of each window; missing for fewer than four values."""
        return self._of("kurt", numeric_only)

    def first(self, numeric_only: bool = False) -> Any:
        """The first value of each window that is not missing."""
        return self._of("first", numeric_only)

    def last(self, numeric_only: bool = False) -> Any:
        """The last value of each window that is not missing."""
        return self._of("last", numeric_only)

    def nunique(self, numeric_only: bool = False) -> Any:
        """How many different values each window has."""
        return self._of("nunique", numeric_only)

    def rank(
        self, method: str = "average", ascending: bool = True, pct: bool = False, numeric_only: bool = False
    ) -> Any:
        """The place of each row's value among those of its window, from 1; equal values get `method`.

        That is "average", "min" or "max". `pct` gives shares. Of centred windows, and of windows without the row
        itself (`closed="left"`, `"neither"`), it is refused.
        """
        call = self._call("rank")
        only(call, method=(method, "average", "min", "max"))
        if self._options[2] or self._options[3] not in ("right", "both"):
            refuse(
                f"`{call}` of windows that do not end with the row itself is not native",
                "Leave `center` and `closed` out",
                call=call,
            )
        name = "rank" if boolean(call, "ascending", ascending) else "rank_falling"
        name += "_share" if boolean(call, "pct", pct) else ""
        return self._of(name, numeric_only, interpolation=method)

    def cov(
        self, other: Any = None, pairwise: object = None, ddof: int = 1, numeric_only: bool = False
    ) -> Any:
        """The covariance of each window with another column of the same rows, over rows in which both have a value."""
        call = self._call("cov")
        only(call, pairwise=(pairwise, None, False), numeric_only=(numeric_only, False))
        return self._pair(call, other, ddof)[0]

    def corr(
        self, other: Any = None, pairwise: object = None, ddof: int = 1, numeric_only: bool = False
    ) -> Any:
        """Pearson's correlation of each window with another column of the same rows."""
        call = self._call("corr")
        only(call, pairwise=(pairwise, None, False), numeric_only=(numeric_only, False))
        whole_number(call, "ddof", ddof)  # which pandas takes, and does not use
        together, mine, theirs = self._pair(call, other, 1)
        return together / (mine * theirs) ** 0.5

    def _pair(self, call: str, other: Any, ddof: int) -> tuple[Any, Any, Any]:
        """The covariance with another column, and the variances of both, where both have a value."""
        owner: Any = getattr(self._run, "__self__", None)
        if self._select is not None or not hasattr(owner, "where") or not hasattr(other, "rolling"):
            refuse(
                f"`{call}` is native between two columns, and windows over rows",
                "Take one column of each: `p['x'].rolling(7).corr(p['y'])`",
                call=call,
            )
        mine, theirs = owner.astype("float64"), other.astype("float64")
        both = apply("isfinite", mine) & apply("isfinite", theirs)
        mine, theirs = mine.where(both), theirs.where(both)
        degrees = whole_number(call, "ddof", ddof)

        def moving(column: Any) -> Rolling:
            return Rolling(column._moving, self._options)

        spreads = moving(mine).var(degrees), moving(theirs).var(degrees)
        # A quarter of the difference of the variances of sum and difference, or the mean of products less the product of
        # means: whichever loses less.
        of_sums = (moving(mine + theirs).var(degrees) - moving(mine - theirs).var(degrees)) / 4
        product, means = moving(mine * theirs).mean(), moving(mine).mean() * moving(theirs).mean()
        count = moving(mine).count()
        of_products = (product - means) * (count / (count - degrees))
        better = product.abs() + means.abs() < (spreads[0] + spreads[1]) / 2
        return apply("where", better, of_products, of_sums), *spreads

    def apply(
        self,
        func: Any,
        raw: bool = False,
        engine: object = None,
        engine_kwargs: object = None,
        args: object = None,
        kwargs: object = None,
    ) -> Any:
        """A function of NumPy that has a name here (`np.mean`, `np.max`, ...); functions of your own are refused.

        NumPy's own give NaN for windows with missing values where they are called on arrays (`raw=True`), which
        is refused.
        """
        call = self._call("apply")
        only(call, raw=(raw, False), args=(args, None, ()), kwargs=(kwargs, None))
        self._engine("apply", engine, engine_kwargs)
        if isinstance(func, str) or fn.is_own(func) or not callable(func):
            refuse(
                f"`{call}` of a function of your own is not native: it would be called for every window",
                f"Native are {', '.join(fn.WINDOWED)}",
                call=call,
            )
        return self.agg(func)


class Expanding(Rolling):
    """Windows of all rows up to each."""

    __slots__ = ()
    _surface = "Expanding"


def rolling(
    call: str,
    owner: Any,
    window: Any,
    min_periods: object,
    center: object,
    win_type: object,
    on: object,
    closed: object,
    step: object,
    method: object,
) -> Rolling:
    """What `rolling` of a column, a partition or groups gives; weights and steps are refused."""
    only(call, win_type=(win_type, None), step=(step, None), method=(method, "single"))
    only(call, closed=(closed, None, "right", "both", "left", "neither"))
    if is_span(window):
        times = times_of(owner._frame, on, call)
        width = ticks(call, times.column, nanoseconds(call, window))
        least = 1 if min_periods is None else whole_number(call, "min_periods", min_periods)
        options = [width, least, boolean(call, "center", center), closed or "right"]
        selected = selecting(owner, times._replace(selected=True))
        return Rolling(partial(owner._moving, times=times), options, selected)
    only(f"{call} of a number of rows", on=(on, None))
    if not isinstance(window, int):
        refuse(
            f"`{call}` with a window of `{clipped(window)}` is not native: windows are of rows, or of time",
            "Give the number of rows, or a span: `'7D'`",
            call=call,
        )
    size = whole_number(call, "window", window)
    if size < 1:
        refuse(f"`{call}` takes a window of at least one row", "Give a number of rows from 1 on", call=call)
    least = size if min_periods is None else whole_number(call, "min_periods", min_periods)
    if not 0 <= least <= size:
        refuse(
            f"`{call}` takes `min_periods` between 0 and the window's {size} rows, in pandas too",
            "Give a number within these bounds, or leave it out",
            call=call,
        )
    options = [size, least, boolean(call, "center", center), closed or "right"]
    return Rolling(owner._moving, options, selecting(owner))


def selecting(owner: Any, times: Times | None = None) -> Select | None:
    """How columns are selected from windows over several."""
    return Select(owner, times) if owner._frame.kind == "frame" else None


def several(windows: Moving, func: Any, known: tuple[str, ...], call: str) -> Partition:
    """Several aggregates of the same windows side by side; those of several columns have labels of two levels."""
    select = windows._select
    wanted: list[tuple[Any, Any, fn.Function]] = []
    if select is None:
        if isinstance(func, dict):
            wanted = [(label, None, fn.function(f, known, call)) for label, f in func.items()]
        else:
            wanted = [(f.label, None, f) for f in fn.functions(func, known, call)]
    else:
        columns = func if isinstance(func, dict) else dict.fromkeys(select.labels(), func)
        for column in columns:
            if column not in select.labels():
                raise missing_column(column, select.labels(), call)
        if any(fn.is_list(f) for f in columns.values()):
            for column, given in columns.items():
                found = fn.functions(given if fn.is_list(given) else [given], known, call)
                wanted += [((column, f.label), column, f) for f in found]
        else:
            wanted = [(column, column, fn.function(f, known, call)) for column, f in columns.items()]
    owner = getattr(windows._run, "__self__", None)
    if hasattr(owner, "_side_by_side"):
        asked = [(label, column, *_recorded(windows, f, known, call)) for label, column, f in wanted]
        return owner._side_by_side(asked)  # type: ignore[no-any-return,union-attr]
    return frame_of(
        {
            label: (windows if column is None else windows[column])._by(f, known, call)
            for label, column, f in wanted
        }
    )


def _recorded(windows: Moving, f: fn.Function, known: tuple[str, ...], call: str) -> tuple[str, list[Any]]:
    """The window function that an aggregate is, and its options."""
    asked: list[tuple[str, list[Any]]] = []

    def run(function: str, options: list[Any], numbers: bool) -> None:
        asked.append((function, options))

    if f.name == "sem":
        refuse(
            f"{call} of several aggregates of groups, of which one is `sem`, is not native",
            "Ask for it alone",
        )
    type(windows)(run, windows._options)._by(f, known, call)
    return asked[0]


def expanding(call: str, owner: Any, min_periods: object, method: object) -> Expanding:
    """What `expanding` gives."""
    only(call, method=(method, "single"))
    least = whole_number(call, "min_periods", min_periods)
    if least < 0:
        refuse(
            f"`{call}` takes `min_periods` from 0 on, in pandas too",
            "Give 0 or more, or leave it out",
            call=call,
        )
    return Expanding(owner._moving, [None, least, False, "right"], selecting(owner))
