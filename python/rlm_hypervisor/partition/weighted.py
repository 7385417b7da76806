"""Windows with weights that decay: `p["x"].ewm(span=7).mean()`."""

from __future__ import annotations

import math
from typing import Any

from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number
from rlm_hypervisor.partition.rolling import Moving, number, selecting


class ExponentialMovingWindow(Moving):
    """All rows up to each, the weight of which halves again and again."""

    __slots__ = ()
    _surface = "ExponentialMovingWindow"

    def _of(self, what: str, numeric_only: object, bias: object = False) -> Any:
        numbers = boolean(self._call(what), "numeric_only", numeric_only)
        biased = boolean(self._call(what), "bias", bias)
        return self._run("ewm", [what, *self._options, biased], numbers)

    def mean(self, numeric_only: bool = False, engine: object = None, engine_kwargs: object = None) -> Any:
        """The weighted mean up to each row."""
        self._engine("mean", engine, engine_kwargs)
        return self._of("mean", numeric_only)

    def sum(self, numeric_only: bool = False, engine: object = None, engine_kwargs: object = None) -> Any:
        """The weighted sum up to each row; not with `adjust=False`, which pandas has not either."""
        self._engine("sum", engine, engine_kwargs)
        if not self._options[1]:
            refuse(
                "`ExponentialMovingWindow.sum` with `adjust=False` is not there in pandas either",
                "Leave `adjust` out",
            )
        return self._of("sum", numeric_only)

    def std(self, bias: bool = False, numeric_only: bool = False) -> Any:
        """The weighted standard deviation up to each row."""
        return self._of("std", numeric_only, bias)

    def var(self, bias: bool = False, numeric_only: bool = False) -> Any:
        """The weighted variance up to each row."""
        return self._of("var", numeric_only, bias)


def ewm(
    call: str,
    owner: Any,
    com: object,
    span: object,
    halflife: object,
    alpha: object,
    min_periods: object,
    adjust: object,
    ignore_na: object,
    times: object,
    method: object,
) -> ExponentialMovingWindow:
    """What `ewm` gives; `times` are refused."""
    only(call, times=(times, None), method=(method, "single"))
    given = {"com": com, "span": span, "halflife": halflife, "alpha": alpha}
    named = [(name, number(call, name, value)) for name, value in given.items() if value is not None]
    if len(named) != 1:
        refuse(
            f"`{call}` takes exactly one of com, span, halflife and alpha, in pandas too",
            "Give one of them: `.ewm(span=7)`",
            call=call,
        )
    (name, value) = named[0]
    fits = {"com": value >= 0, "span": value >= 1, "halflife": value > 0, "alpha": 0 < value <= 1}[name]
    if not fits:
        refuse(
            f"`{call}` is given `{name}={value}`, which pandas does not take either",
            "Give `com` from 0, `span` from 1, `halflife` above 0, `alpha` above 0 up to 1",
            call=call,
        )
    centre = {
        "com": lambda: value,
        "span": lambda: (value - 1) / 2,
        "halflife": lambda: 1 / (1 - math.exp(math.log(0.5) / value)) - 1,
        "alpha": lambda: (1 - value) / value,
    }[name]()
    least = 0 if min_periods is None else whole_number(call, "min_periods", min_periods)
    flags = [boolean(call, "adjust", adjust), boolean(call, "ignore_na", ignore_na)]
    options = [centre, *flags, max(least, 1)]
    return ExponentialMovingWindow(owner._moving, options, selecting(owner))
