"""The pandas-shaped, lazy partition that operations are written against."""

from __future__ import annotations

from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.groupby import DataFrameGroupBy, SeriesGroupBy
from rlm_hypervisor.partition.scalar import Scalar, Summary

__all__ = ["Column", "DataFrameGroupBy", "Partition", "Scalar", "SeriesGroupBy", "Summary"]
