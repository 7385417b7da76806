"""The chunks' rows that workers sent back, as one answer."""

from __future__ import annotations

import pickle
from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor.errors import CombineRequiredError


def whole(segments: list[Any]) -> Any:
    """The answer of a run whose results are rows of their chunks; of a single chunk, whatever was returned.

    Types that differ between chunks (integers here, floats with missing values there) become the one that holds
    both, as `pandas.concat` has it.
    """
    import pyarrow

    from rlm_hypervisor.result import Result

    if len(segments) == 1 and "value" in segments[0][4]:
        return pickle.loads(bytes(segments[0][3][0]))[0]
    if not segments:
        raise CombineRequiredError(
            "the source has no rows, so the operation was not called and what it returns is not known. "
            "Check for rows before, or give the operation a source that has some"
        )
    tables, facts = [], []
    for _, _, _, blobs, more in segments:
        with pyarrow.ipc.open_stream(_buffer(pyarrow, blobs[0])) as stream:
            tables.append(stream.read_all())
        facts.append(more)
    first = facts[0]
    for number, more in enumerate(facts):
        if more["labels"] != first["labels"] or more["series"] != first["series"]:
            raise CombineRequiredError(
                f"the operation returned columns {more['labels']} for chunk {segments[number][0]} and "
                f"{first['labels']} for chunk {segments[0][0]}. Return the same columns for every chunk",
                details={"chunk": segments[number][0]},
            )
    table = pyarrow.concat_tables(tables, promote_options="permissive")
    labels = [tuple(label) if isinstance(label, list) else label for label in first["labels"]]
    rows = table.column(table.num_columns - 1)
    table = table.remove_column(table.num_columns - 1)
    index = None
    # Without a chunk in the middle the rows are not numbered on from one to the next.
    numbers = list(dict.fromkeys(segment[0] for segment in segments))
    complete = numbers == list(range(len(numbers)))
    if not complete or not all(more["whole"] for more in facts):
        index = [None]
        table = table.add_column(0, "index", rows)
    offset = 0 if index is None else 1
    names = ["index"] * offset + [str(label) if label is not None else "value" for label in labels]
    table = table.rename_columns(names)
    return Result(_core.Answer.of(table, first["series"], index, labels))


def _buffer(pyarrow: Any, blob: bytes | _core.Lent) -> Any:
    """A result as Arrow reads it; one that is lent stays where it is for as long as anything of it is used."""
    if isinstance(blob, _core.Lent):
        return pyarrow.foreign_buffer(blob.address, blob.size, blob)
    return pyarrow.py_buffer(blob)


def parts(segments: list[Any], *, aligned: bool) -> dict[int, Any]:
    """The result of each chunk by itself, by the chunk's number; of one that was cut, the list of its parts'."""
    found: dict[int, list[Any]] = {}
    for segment in segments:
        found.setdefault(segment[0], []).append(segment)
    if aligned:
        return {number: whole(group) for number, group in found.items()}
    values = {number: [pickle.loads(one[3][0])[0] for one in group] for number, group in found.items()}
    return {number: group[0] if len(group) == 1 else group for number, group in values.items()}
