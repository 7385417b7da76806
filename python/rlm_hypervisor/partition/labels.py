"""The labels of a partition's columns: what `p.columns` is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.label_strings import LabelStrings
from rlm_hypervisor.partition.refusal import is_label, labels_of, missing_column, only, refuse


class Flags(tuple[bool, ...]):
    """True or False for each column: what a question about labels gives; it goes with `~`, `&`, `|`, `p.loc[:, ...]`."""

    __slots__ = ()

    def __invert__(self) -> Flags:
        return Flags(not flag for flag in self)

    def _with(self, other: Any, both: Callable[[bool, bool], bool]) -> Flags:
        flags = labels_of(other)
        if flags is None or len(flags) != len(self) or not all(isinstance(flag, bool) for flag in flags):
            refuse(
                f"flags of {len(self)} columns meet `{clipped(other)}`",
                "Ask about the labels of the same partition",
            )
        return Flags(both(one, two) for one, two in zip(self, flags, strict=True))

    def __and__(self, other: Any) -> Flags:
        return self._with(other, lambda one, two: one and two)

    def __or__(self, other: Any) -> Flags:
        return self._with(other, lambda one, two: one or two)

    __rand__ = __and__
    __ror__ = __or__

    def any(self) -> bool:
        """Whether one is True."""
        return any(self)

    def all(self) -> bool:
        """Whether all are True."""
        return all(self)

    def sum(self) -> int:
        """How many are True."""
        return sum(self)

    def tolist(self) -> list[bool]:
        """As a list."""
        return list(self)


def flagged(labels: Iterable[Any], flags: Any, call: str) -> list[Any] | None:
    """The labels for which a list of True and False says so; None for anything else."""
    found = flags if isinstance(flags, Flags) else labels_of(flags)
    if not found or not all(isinstance(flag, bool) for flag in found):
        return None
    every = list(labels)
    if len(found) != len(every):
        refuse(
            f"`{call}` got {len(found)} flags for {len(every)} columns", "Give one for each column", call=call
        )
    return [label for label, flag in zip(every, found, strict=True) if flag]


class Labels(tuple[Any, ...]):
    """The labels of the columns: a tuple with the methods of `pandas.Index` that are about names.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"First Name": ["a"], "Age ": [1]})
    >>> def tidy(p):
    ...     p.columns = p.columns.str.strip().str.lower().str.replace(" ", "_")
    ...     return p
    >>> answer = RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": tidy}})
    >>> answer.columns
    ['first_name', 'age']
    """

    __slots__ = ()
    __hash__ = tuple.__hash__

    def __getitem__(self, key: Any) -> Any:
        chosen = flagged(self, key, "Index") if isinstance(key, Flags | list) else None
        if chosen is not None:
            return Labels(chosen)
        found = super().__getitem__(key)
        return Labels(found) if isinstance(key, slice) else found

    def __eq__(self, other: object) -> Any:
        """Which labels are this one; as a whole beside other labels."""
        if isinstance(other, str | int | float):
            return Flags(label == other for label in self)
        return tuple(self) == other

    def __ne__(self, other: object) -> Any:
        if isinstance(other, str | int | float):
            return Flags(label != other for label in self)
        return tuple(self) != other

    @property
    def str(self) -> LabelStrings:
        """Text methods of the labels: `p.columns.str.lower()`."""
        return LabelStrings(self, Labels, Flags)

    @property
    def values(self) -> Labels:
        """The labels."""
        return self

    @property
    def nlevels(self) -> int:
        """How many levels the labels have."""
        return max((len(label) for label in self if isinstance(label, tuple)), default=1)

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self)

    @property
    def is_unique(self) -> bool:
        """Whether no label is there twice."""
        return len(set(self)) == len(self)

    def tolist(self) -> list[Any]:
        """The labels as a list."""
        return list(self)

    to_list = tolist

    def to_flat_index(self) -> Labels:
        """Labels of several levels as tuples, which they are."""
        return self

    def get_level_values(self, level: int) -> Labels:
        """One level of each label, by its number."""
        return Labels(label[level] if isinstance(label, tuple) else label for label in self)

    def droplevel(self, level: int = 0) -> Labels:
        """The labels without a level, by its number."""
        if self.nlevels < 2:
            refuse("`Index.droplevel` of labels of one level is an error in pandas too", "Leave it out")
        place = level % self.nlevels
        kept = (label[:place] + label[place + 1 :] for label in self)
        return Labels(label[0] if len(label) == 1 else label for label in kept)

    def get_loc(self, key: Any) -> int:
        """The place of a label."""
        if key not in tuple(self):
            raise missing_column(key, self, "`Index.get_loc`")
        return self.index(key)

    def isin(self, values: Any, level: object = None) -> Flags:
        """Which labels are among some."""
        only("Index.isin", level=(level, None))
        wanted = labels_of(values)
        if wanted is None:
            refuse(
                f"`Index.isin` takes a list of labels, not `{clipped(values)}`", "Give a list: `['a', 'b']`"
            )
        return Flags(label in wanted for label in self)

    def duplicated(self, keep: Any = "first") -> Flags:
        """Which labels are there before; none is, for labels differ here."""
        only("Index.duplicated", keep=(keep, "first", "last", False))
        return Flags(self.count(label) > 1 for label in self)

    def drop(self, labels: Any) -> Labels:
        """Without some labels."""
        gone = [labels] if is_label(labels) else labels_of(labels) or []
        return Labels(label for label in self if label not in gone)

    def difference(self, other: Any, sort: object = None) -> Labels:
        """Without some labels, sorted; with `sort=False` as they are."""
        only("Index.difference", sort=(sort, None, False))
        rest = self.drop(labels_of(other) or [])
        return rest if sort is False else _sorted(rest)

    def intersection(self, other: Any, sort: object = False) -> Labels:
        """The labels that are among others too."""
        only("Index.intersection", sort=(sort, False))
        wanted = labels_of(other) or []
        return Labels(label for label in self if label in wanted)

    def union(self, other: Any, sort: object = None) -> Labels:
        """The labels of both, sorted where they differ; with `sort=False` the others behind these."""
        only("Index.union", sort=(sort, None, False))
        more = [label for label in labels_of(other) or [] if label not in tuple(self)]
        both = Labels([*self, *dict.fromkeys(more)])
        same = tuple(labels_of(other) or []) == tuple(self)
        return both if sort is False or same else _sorted(both)

    def append(self, other: Any) -> Labels:
        """These labels, and others behind them."""
        return Labels([*self, *(labels_of(other) or [])])

    def insert(self, loc: int, item: Any) -> Labels:
        """With a label at a place."""
        found = list(self)
        found.insert(loc, item)
        return Labels(found)

    def map(self, mapper: Any, na_action: object = None) -> Labels:
        """What a function, or a dict, makes of each label."""
        only("Index.map", na_action=(na_action, None))
        if isinstance(mapper, dict):
            return Labels(mapper.get(label, float("nan")) for label in self)
        return Labels(mapper(label) for label in self)


def _sorted(labels: Labels) -> Labels:
    return Labels(sorted(labels, key=lambda label: (type(label).__name__, label)))
