"""What the text methods take and give: texts, positions, answers for missing ones, columns side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.constant import is_missing
from rlm_hypervisor.partition.patterns import UNSET
from rlm_hypervisor.partition.refusal import boolean, refuse, whole_number

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.frame import Partition


def text(call: str, name: str, value: object) -> str:
    """A text argument."""
    if isinstance(value, str):
        return str(value)
    refuse(
        f"`{call}` takes text for `{name}`, not `{clipped(value)}`", "Give a string", call=call, argument=name
    )


def place(call: str, name: str, value: object) -> int | None:
    """A position, or None."""
    return None if value is None else whole_number(call, name, value)


def filler(call: str, value: object) -> str:
    """The one character to fill with."""
    if isinstance(value, str) and len(value) == 1:
        return value
    refuse(
        f"`{call}` fills with one character, not `{clipped(value)}`",
        "Give one character: `fillchar='0'`",
        call=call,
        argument="fillchar",
    )


def answer_for_missing(call: str, na: object) -> bool:
    """What a question about text says where there is none."""
    if na is UNSET or na is None or is_missing(na) or (isinstance(na, float) and na != na):
        return False
    return boolean(call, "na", na)


def frame_of(columns: dict[Any, Column]) -> Partition:
    """Columns of the same rows as a partition."""
    from rlm_hypervisor.partition.frame import Partition

    frame = None
    for label, column in columns.items():
        frame = column._frame.to_frame(label) if frame is None else frame.assign(label, column._frame)
    assert frame is not None
    return Partition(frame)
