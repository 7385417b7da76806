"""All matches of a pattern in texts: `p["x"].str.findall(...)`, `.str.extractall(...)`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.patterns import compiled
from rlm_hypervisor.partition.refusal import refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.frame import Partition


class Matches:
    """The part of the text methods that gives several values for a text."""

    __slots__ = ()

    if TYPE_CHECKING:
        _column: Column

        def _call(self, op: str, *args: object) -> Any: ...

    def findall(self, pat: Any, flags: int = 0) -> Column:
        """All matches of a pattern, or of its one group, as a list; several groups are refused."""
        pattern, bits = compiled("Series.str.findall", pat, flags)
        return self._call("str_findall", pattern, bits)  # type: ignore[no-any-return]

    def extractall(self, pat: Any, flags: int = 0) -> Partition:
        """A row for each match, its groups as columns; the index has one more level, `match`, which counts from 0."""
        from rlm_hypervisor.partition.frame import Partition

        call = "Series.str.extractall"
        pattern, bits = compiled(call, pat, flags)
        known = re.compile(pattern, bits)
        if not known.groups:
            refuse(f"`{call}` needs a pattern with groups", "Put what you want in parentheses", call=call)
        names = {number: name for name, number in known.groupindex.items()}
        found = self._call("str_extractall", pattern, bits)._frame.with_name("found")
        rows = Partition(found.explode(["found"], False, "match").to_frame("found"))
        for number in range(known.groups):
            rows[("rlm", number)] = apply("struct_field", rows["found"], number)
        frame = rows._frame.drop(["found"])
        labels = [(("rlm", number), names.get(number + 1, number)) for number in range(known.groups)]
        return Partition(frame.rename(labels))
