"""The labels of a partition's columns: what `p.columns` is."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor.partition.refusal import is_label, labels_of, only


class Labels(tuple[Any, ...]):
    """The labels of the columns: a tuple with the few methods of `pandas.Index` that make sense here."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return Labels(found) if isinstance(key, slice) else found

    def tolist(self) -> list[Any]:
        """The labels as a list."""
        return list(self)

    to_list = tolist

    def drop(self, labels: Any) -> Labels:
        """Without some labels."""
        gone = [labels] if is_label(labels) else labels_of(labels) or []
        return Labels(label for label in self if label not in gone)

    def difference(self, other: Any) -> Labels:
        """Without some labels, sorted."""
        return Labels(sorted(self.drop(labels_of(other) or []), key=lambda label: (str(type(label)), label)))

    def map(self, mapper: Any, na_action: object = None) -> Labels:
        """What a function, or a dict, makes of each label."""
        only("Index.map", na_action=(na_action, None))
        if isinstance(mapper, dict):
            return Labels(mapper.get(label, float("nan")) for label in self)
        return Labels(mapper(label) for label in self)
