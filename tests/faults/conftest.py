"""Some faults are the same on processes and on threads."""

from tests._kinds import pytest_collection_modifyitems, worker_kind

__all__ = ["pytest_collection_modifyitems", "worker_kind"]
