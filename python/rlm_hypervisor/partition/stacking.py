"""Columns as rows, and rows as columns: `p.stack()`, `p.T`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.operators import apply, wrap
from rlm_hypervisor.partition.refusal import only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.wide import Wide

_LEVEL, _VALUE = ("rlm", "level"), ("rlm", "value")


class Stacking:
    """The base of Partition that puts its columns below each other."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def stack(
        self, level: Any = -1, dropna: Any = None, sort: Any = None, future_stack: bool = True
    ) -> Column:
        """The values of all columns, row by row, under the row's label and the column's, which is one more level.

        Columns have to be of one type, or numbers. `dropna`, `sort` and columns of several levels are refused.
        """
        call = "DataFrame.stack"
        only(
            call,
            level=(level, -1, 0),
            dropna=(dropna, None),
            sort=(sort, None),
            future_stack=(future_stack, True),
        )
        return self._stacked(call)

    def _stacked(self, call: str) -> Column:
        from rlm_hypervisor.partition.column import Column

        frame = self._frame
        labels = list(frame.columns)
        kinds = {type(label) for label in labels}
        if not labels or len(kinds) > 1 or tuple in kinds:
            refuse(
                f"`{call}` needs columns that are all called by texts, or all by numbers",
                "Use `melt`: `p.melt(id_vars=['id'])`",
                call=call,
            )
        columns = [wrap(frame.column(label)) for label in labels]
        dtypes = {str(column._frame.dtypes[0]) for column in columns}
        if len(dtypes) > 1:
            if not all(DType(dtype).kind in "iuf" for dtype in dtypes) or "uint64" in dtypes:
                refuse(
                    f"`{call}` of columns of {', '.join(sorted(dtypes))} would be one column of objects",
                    "Select columns of one type: `p.select_dtypes('number').stack()`",
                    call=call,
                )
            wide = "float64" if any(dtype.startswith("float") for dtype in dtypes) else "int64"
            columns = [apply("astype", column, wide) for column in columns]
        for number, label in enumerate(labels):
            frame = frame.assign(("rlm", "label", number), label)
        names = [frame.column(("rlm", "label", number)) for number in range(len(labels))]
        frame = frame.assign(_LEVEL, _core.Frame.call("list_make", names))
        frame = frame.assign(_VALUE, _core.Frame.call("list_make", [column._frame for column in columns]))
        own = frame.index_names or [None]
        frame = frame.select([_LEVEL, _VALUE]).explode([_LEVEL, _VALUE], False)
        frame = frame.set_index([_LEVEL], True, True).with_level_names([*own, None])
        return Column(frame.column(_VALUE).with_name(None))

    @property
    def T(self) -> Wide:
        """Rows as columns, which are called by the rows' labels: the last step of an operation. See `transpose`."""
        return self.transpose()

    def transpose(self, *args: object, copy: object = None) -> Wide:
        """Rows as columns, which are called by the rows' labels: the last step of an operation.

        Columns have to be of one type, or numbers; a run fails where two rows have one label, and where there are more
        rows than a table may have columns.
        """
        from rlm_hypervisor.partition.spreading import spread

        call = "DataFrame.transpose"
        if args:
            refuse(f"`{call}` takes no axes", "Leave them out", call=call)
        only(call, copy=(copy, None, True, False))
        long = self._stacked(call)._frame
        names = long.index_names or [None]
        levels = [(name, long.level(number)) for number, name in enumerate(names)]
        return spread(levels[-1:], levels[:-1], [(None, long)], False, sorted=False, missing="last")
