"""Functions of single values and look-ups: `p["x"].map(...)`, `.apply(...)`, `.transform(...)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.errors import RLMError
from rlm_hypervisor.partition import exploring
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.element import element, isinstance_of, kind_of
from rlm_hypervisor.partition.element_functions import prepared
from rlm_hypervisor.partition.operators import Operators, apply, wrap
from rlm_hypervisor.partition.refusal import only, refuse
from rlm_hypervisor.partition.replacing import nothing
from rlm_hypervisor.partition.swallowed import forgiven

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column


def computed(frame: _core.Frame, run: Callable[[], Any], call: str) -> _core.Frame:
    """What a function of single values gives for every row of the frame, as a series without a name."""
    tree = exploring.explore(run, call)
    if not exploring.alike(tree, exploring.explore(run, call)):
        refuse(
            f"{call}: the function gives something else each time it is called (random numbers, the time, a counter), "
            "and a plan would have one result for all rows",
            'Compute it outside of the function, or let it run in workers: `mode: "python"`',
            call=call,
        )
    kept = exploring.pruned(tree)
    if kept is None:
        kept = exploring.Leaf(None)
    values = exploring.values_of(kept)
    kinds = {_kind(value, call) for value in values} - {"none"}
    mixed = sorted("number" if kind in ("int", "float") else kind for kind in kinds)
    if len(set(mixed)) > 1:
        refuse(
            f"{call}: the function returns {' and '.join(dict.fromkeys(mixed))} values, which pandas keeps as objects",
            "Return values of one kind, and None for what is missing",
            call=call,
        )
    result = exploring.chosen(kept, lambda value: _operand(value, call))
    if not isinstance(result, Operators) or result._frame.kind != "series":
        label = "__constant"
        while label in frame.columns:
            label += "_"
        constants = result._frame if isinstance(result, Operators) else result
        result = _column(frame.assign(label, constants).column(label))
    for guard, error in exploring.failing(tree):
        message = f"the function of {call} raised {type(error).__name__}: {error}"
        ok = apply("not", guard) if guard is not None else False
        result = apply("ensure", result, ok, message)
    return result._frame.with_name(None)  # type: ignore[no-any-return]


def _column(frame: _core.Frame) -> Column:
    from rlm_hypervisor.partition.column import Column

    return Column(frame)


def _kind(value: Any, call: str) -> str:
    if isinstance_of(value):
        return str(value._kind)
    if isinstance(value, Operators):
        if value._frame.kind != "scalar":
            refuse(
                f"{call}: the function returns a whole column for a single value",
                "Write it with column arithmetic",
                call=call,
            )
        return kind_of(value._frame.dtypes[0]) or "other"
    if nothing(value):
        return "float" if isinstance(value, float) else "none"
    if isinstance(value, str):
        return "str"
    if isinstance(value, list | tuple | dict | set) or hasattr(value, "_takes_operators"):
        refuse(
            f"{call}: the function returns `{clipped(value)}`, a {type(value).__name__}, for a single value",
            "Return a number, text, boolean or time; assign several columns one by one",
            call=call,
        )
    plain = value.item() if hasattr(value, "item") else value
    for cls, kind in ((bool, "bool"), (int, "int"), (float, "float")):
        if isinstance(plain, cls):
            return kind
    return "span" if type(value).__name__ in ("timedelta", "Timedelta", "timedelta64") else "time"


def _operand(value: Any, call: str) -> Any:
    if isinstance_of(value):
        return value._column
    if isinstance(value, Operators):
        return value
    return None if nothing(value) and not isinstance(value, float) else constant(value, call)


class Mapping:
    """The base of Column that knows functions of single values."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame
        name: Any

        def _mapped(self, mapping: Any, call: str) -> Column: ...
        def _named(self, value: Any) -> Column: ...
        def notna(self) -> Column: ...
        def agg(self, func: Any = None, axis: object = 0, *args: object, **kwargs: Any) -> Any: ...

    def _by_value(
        self, func: Any, call: str, args: tuple[Any, ...] = (), kwargs: Any = None, ignore: bool = False
    ) -> Column:
        """The function of single values, for each of them."""
        column = _column(self._frame)
        run = prepared(func, call)
        given = kwargs or {}

        def one() -> Any:
            value = element(column)
            if ignore:
                path = exploring.current()
                if path is not None and path.decide(apply("isna", value._column)):
                    raise exploring.Left
            return run(value, *args, **given)

        result = _column(computed(self._frame, one, call))
        if ignore:
            result = apply("given", result, apply("notna", self))
        return self._named(result)

    def map(self, func: Any = None, na_action: Any = None, engine: object = None, **kwargs: Any) -> Column:
        """Each value looked up in a dict or in a series by its index, or given to a function (see `apply`).

        What is not in the dict or index is missing. `na_action="ignore"` leaves missing values alone. The index of
        the series must not repeat a label; that is checked while the task runs.
        """
        from rlm_hypervisor.partition.tables import series

        call = "Series.map"
        only(call, engine=(engine, None), na_action=(na_action, None, "ignore"))
        if func is None and "arg" in kwargs:
            func = kwargs.pop("arg")
        by = None if isinstance(func, dict) or callable(func) else series(func, f"`{call}`")
        if by is not None:
            looked_up: Column = wrap(self._frame.lookup(by._frame, False))  # type: ignore[assignment]
            return apply("given", looked_up, self.notna()) if na_action == "ignore" else looked_up
        if isinstance(func, dict) or (
            type(func).__module__.partition(".")[0] == "pandas" and hasattr(func, "to_dict")
        ):
            found = self._mapped(func, call)
            return self._named(apply("given", found, self.notna())) if na_action == "ignore" else found
        if not callable(func):
            refuse(
                f"`{call}` takes a dict, a series or a function, not `{clipped(func)}`",
                "Give a dict, a column with an index, or a function of single values",
                call=call,
            )
        return self._by_value(func, f"`{call}`", (), kwargs, na_action == "ignore")

    def apply(self, func: Any, args: tuple[Any, ...] = (), *, by_row: Any = "compat", **kwargs: Any) -> Any:
        """A function of single values for each of them.

        It is called with a value that is not known yet but behaves like Python's: operators, comparisons, text
        methods, `math`; `if` runs it once for every way. What it does to real values only is refused.
        NumPy's ufuncs and names of methods are applied to the whole column; so is anything with `by_row=False`.
        """
        call = "Series.apply"
        only(call, by_row=(by_row, "compat", False))
        if isinstance(func, str):
            return _by_name(self, func, call, args, kwargs)
        if isinstance(func, list | dict):
            return self.agg(func, 0, *args, **kwargs)
        if type(func).__name__ == "ufunc" or by_row is False:
            return func(self, *args, **kwargs)
        if not callable(func):
            refuse(
                f"`{call}` takes a function, not `{clipped(func)}`",
                "Give a function: `p['x'].apply(lambda v: v * 2)`",
                call=call,
            )
        return self._by_value(func, f"`{call}`", args, kwargs)

    def transform(self, func: Any, axis: object = 0, *args: Any, **kwargs: Any) -> Column:
        """A function of single values, or else of the whole column, that keeps the rows."""
        call = "Series.transform"
        only(call, axis=(axis, 0, "index"))
        if isinstance(func, str):
            result = _by_name(self, func, call, args, kwargs)
        elif isinstance(func, list | dict) or not callable(func):
            refuse(
                f"`{call}` takes one function, not `{clipped(func)}`",
                "Apply one at a time, and put the results together: `p.assign(a=..., b=...)`",
                call=call,
            )
        else:
            try:
                with forgiven():
                    result = self.apply(func, args, **kwargs)
            except Exception as error:
                # As pandas does: what fails for single values may work for all of them.
                try:
                    result = func(self, *args, **kwargs)
                except Exception as other:
                    raise (error if isinstance(error, RLMError) else other) from None
        if not isinstance(result, Operators) or result._frame.kind != "series":
            refuse(
                f"`{call}`: the function gives one value for all rows", "Aggregate it: `.agg(...)`", call=call
            )
        return result  # type: ignore[return-value]


def _by_name(owner: Any, name: str, call: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A method of ours, or a function of NumPy, by its name."""
    if not name.startswith("_") and hasattr(type(owner), name):
        found = getattr(owner, name)
        return found(*args, **kwargs) if callable(found) else found
    import sys

    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, name):
        return getattr(numpy, name)(owner, *args, **kwargs)
    refuse(
        f"`{call}` of {name!r} is not native in this version",
        "Name a native method, or pass a function",
        call=call,
        function=name,
    )
