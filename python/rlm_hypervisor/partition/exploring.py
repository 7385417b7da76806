"""A function of single values run once for every path through its `if`s; the paths become one expression.

`bool(condition)` asks the exploration, which answers as the path says that is being run, and later runs the
other one. What the paths return is chosen among by their conditions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

from rlm_hypervisor.errors import RLMError
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import refusal, refuse
from rlm_hypervisor.partition.swallowed import forgiven, is_foreign, watching

MOST_PATHS = 128
MOST_DECISIONS = 64

_local = threading.local()


class Path:
    """One run of the function: the decisions it is to make first, and those it has made."""

    def __init__(self, prefix: tuple[bool, ...]) -> None:
        self.prefix = prefix
        self.taken: list[tuple[Any, bool]] = []
        self.failure: RLMError | None = None

    def decide(self, condition: Any) -> bool:
        """Which way to go; the same condition goes the same way."""
        for known, way in self.taken:
            if known._frame.same_values(condition._frame):
                return way
        at = len(self.taken)
        if at >= MOST_DECISIONS:
            self.fail(
                f"a function of single values decides more than {MOST_DECISIONS} times on one path",
                "Is it a loop over values? Write it with column arithmetic",
            )
        way = self.prefix[at] if at < len(self.prefix) else True
        self.taken.append((condition, way))
        return way

    def guard(self) -> Any:
        """The condition under which this path runs; None at its beginning."""
        found: Any = None
        for condition, way in self.taken:
            part = condition if way else apply("not", condition)
            found = part if found is None else apply("and", found, part)
        return found

    def fail(self, what: str, advice: str, call: str = "") -> Any:
        """Refuses, even if the function catches all exceptions."""
        try:
            refuse(what, advice, call=call or what)
        except RLMError as error:
            self.failure = self.failure or error
            raise

    def foreign(self, said: str, traceback: TracebackType | None) -> None:
        """Refuses: code that takes real values was given one that is not known, and raised."""
        if self.failure is not None:
            return
        with forgiven():
            self.failure = refusal(
                f"a function of single values hands one to code that needs the value itself, which raised {said}",
                "Write it with the methods of text and numbers and column arithmetic, or let it run in workers: "
                '`mode: "python"`',
                call="apply",
            )
        self.failure.__traceback__ = traceback


class Raised(NamedTuple):
    """A path that ends in an exception of the user's."""

    error: Exception


class Fork(NamedTuple):
    """Two ways from a condition."""

    condition: Any
    yes: Any
    no: Any


def current() -> Path | None:
    """The path that is being run in this thread."""
    return getattr(_local, "path", None)


def explore(run: Callable[[], Any], call: str) -> Any:
    """What the function returns: a value where it never decides, else a tree of forks."""
    if current() is not None:
        refuse(
            f"{call} within a function of single values is not native",
            "Call it outside of the function, on whole columns",
            call=call,
        )
    leaves: list[tuple[list[tuple[Any, bool]], Any]] = []
    todo: list[tuple[bool, ...]] = [()]
    while todo:
        prefix = todo.pop()
        path = Path(prefix)
        _local.path = path
        leaf: Any
        try:
            with watching(path.foreign):
                leaf = run()
        except RLMError:
            raise path.failure or _current_error() from None
        except Exception as error:
            if path.failure is not None:
                raise path.failure from None
            if isinstance(error, AttributeError) and is_foreign(error):
                path.foreign(f"AttributeError: {error}", error.__traceback__)
                raise path.failure from None  # type: ignore[misc]
            if not path.taken and not isinstance(error, Left):
                raise
            leaf = Raised(error)
        finally:
            _local.path = None
        if path.failure is not None:
            raise path.failure
        leaves.append((path.taken, leaf))
        ways = [way for _, way in path.taken]
        for at in range(len(prefix), len(ways)):
            todo.append((*ways[:at], not ways[at]))
        if len(leaves) + len(todo) > MOST_PATHS:
            refuse(
                f"{call}: the function has more than {MOST_PATHS} paths",
                "Decide less, or write it with `np.select` and column arithmetic",
                call=call,
            )
    return _tree(leaves, 0)


def _current_error() -> BaseException:
    import sys

    error = sys.exc_info()[1]
    assert error is not None
    return error


def _tree(leaves: list[tuple[list[tuple[Any, bool]], Any]], depth: int) -> Any:
    taken, leaf = leaves[0]
    if len(taken) == depth:
        return leaf
    yes = [item for item in leaves if item[0][depth][1]]
    no = [item for item in leaves if not item[0][depth][1]]
    return Fork(taken[depth][0], _tree(yes, depth + 1), _tree(no, depth + 1))


def alike(a: Any, b: Any) -> bool:
    """Whether two runs of a function have the same result."""
    if isinstance(a, Fork) and isinstance(b, Fork):
        return alike(a.condition, b.condition) and alike(a.yes, b.yes) and alike(a.no, b.no)
    if isinstance(a, Raised) and isinstance(b, Raised):
        return type(a.error) is type(b.error) and str(a.error) == str(b.error)
    if type(a) is not type(b):
        return False
    first, second = _frame_of(a), _frame_of(b)
    if first is not None and second is not None:
        # As text, for no NaN is the same as another.
        return bool(first.same_values(second) or first.explain() == second.explain())
    with forgiven():
        try:
            return bool(a == b) or bool(a != a and b != b)
        except Exception:  # no comparison that could tell
            return True


def _frame_of(value: Any) -> Any:
    """The core's frame of a column, or of a value of one."""
    return getattr(getattr(value, "_column", value), "_frame", None)


class Left(Exception):
    """Ends a path whose rows are set otherwise."""


def pruned(tree: Any) -> Any:
    """The tree without the paths that raise; None if all do."""
    if isinstance(tree, Raised):
        return None
    if not isinstance(tree, Fork):
        return Leaf(tree)
    yes, no = pruned(tree.yes), pruned(tree.no)
    if yes is None or no is None:
        return no if yes is None else yes
    return Fork(tree.condition, yes, no)


class Leaf(NamedTuple):
    """What a path returned, which may be None."""

    value: Any


def values_of(tree: Fork | Leaf) -> list[Any]:
    """What the paths return, from left to right."""
    if isinstance(tree, Leaf):
        return [tree.value]
    return [*values_of(tree.yes), *values_of(tree.no)]


def chosen(tree: Fork | Leaf, as_operand: Callable[[Any], Any]) -> Any:
    """The expression that chooses among the values of a tree; a plain value where there is no fork."""
    if isinstance(tree, Leaf):
        return as_operand(tree.value)
    args: list[Any] = []
    while isinstance(tree, Fork):
        args += [tree.condition, chosen(tree.yes, as_operand)]
        tree = tree.no
    return apply("select", *args, chosen(tree, as_operand), call="a function of single values")


def failing(tree: Any, guard: Any = None) -> list[tuple[Any, Exception]]:
    """The conditions under which a path raises, and what; None for all rows."""
    if isinstance(tree, Raised):
        return [] if isinstance(tree.error, Left) else [(guard, tree.error)]
    if not isinstance(tree, Fork):
        return []
    found: list[tuple[Any, Exception]] = []
    for negated, below in ((False, tree.yes), (True, tree.no)):
        if not _raises(below):
            continue
        condition = apply("not", tree.condition) if negated else tree.condition
        found += failing(below, condition if guard is None else apply("and", guard, condition))
    return found


def _raises(tree: Any) -> bool:
    if isinstance(tree, Fork):
        return _raises(tree.yes) or _raises(tree.no)
    return isinstance(tree, Raised)
