"""NumPy's functions over a whole column: `np.median(p["x"])`. What NumPy does with missing values holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import labels_of, refuse
from rlm_hypervisor.partition.statistics import fraction


def _quantile(column: Any, q: Any, scale: float, skipna: bool, method: str, call: str) -> Any:
    if labels_of(q) is not None:
        refuse(f"`{call}` of several quantiles is an array in NumPy", "`p['x'].quantile([...])`", call=call)
    if method not in ("linear", "lower", "higher", "midpoint", "nearest"):
        refuse(f"`{call}` with `method={method!r}` is not native", "Leave it out", call=call)
    part = fraction(call, q / scale)
    return column._reduce("quantile", q=part, interpolation=method, skipna=skipna)


def _percentile(name: str, scale: float, skipna: bool) -> Callable[..., Any]:
    def function(column: Any, q: Any, axis: object = None, *, method: str = "linear") -> Any:
        if axis not in (None, 0):
            refuse(
                f"`numpy.{name}` with `axis={axis}` is not native",
                "Leave `axis` out, or use the column's own method",
                call=f"numpy.{name}",
            )
        return _quantile(column, q, scale, skipna, method, f"numpy.{name}")

    return function


def _reduction(name: str, skipna: bool, **fixed: Any) -> Callable[..., Any]:
    def function(column: Any, axis: object = None, **kwargs: Any) -> Any:
        if axis not in (None, 0) or not set(kwargs) <= ({"ddof"} if "ddof" in fixed else set()):
            refuse(
                f"`numpy` functions of a column take `axis=None` only, not {axis!r}, {kwargs!r}",
                "Use the column's own method, which has keywords: `p['x'].quantile(0.5)`",
            )
        return column._reduce(name, skipna=skipna, **{**fixed, **kwargs})

    return function


def _ptp(column: Any, axis: object = None) -> Any:
    if axis not in (None, 0):
        refuse(
            "`numpy.ptp` of a column takes `axis=None` only",
            "Leave it out, or write `p['x'].max() - p['x'].min()`",
            call="numpy.ptp",
        )
    return apply("sub", column._reduce("max", skipna=False), column._reduce("min", skipna=False))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "median": _reduction("median", False),
    "prod": _reduction("prod", True),
    "any": _reduction("any", True),
    "all": _reduction("all", True),
    "argmin": _reduction("argmin", True),
    "argmax": _reduction("argmax", True),
    "ptp": _ptp,
    "percentile": _percentile("percentile", 100, False),
    "quantile": _percentile("quantile", 1, False),
    "nanpercentile": _percentile("nanpercentile", 100, True),
    "nanquantile": _percentile("nanquantile", 1, True),
    "nansum": _reduction("sum", True),
    "nanmean": _reduction("mean", True),
    "nanmin": _reduction("min", True),
    "nanmax": _reduction("max", True),
    "nanprod": _reduction("prod", True),
    "nanmedian": _reduction("median", True),
    "nanstd": _reduction("std", True, ddof=0),
    "nanvar": _reduction("var", True, ddof=0),
}
"""NumPy's name -> what answers for it."""
