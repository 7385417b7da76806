"""Writes the API reference, from docstrings, to a directory: `python scripts/reference.py site`.

Classes of this package are put together from several files each; the reference shows what they have as theirs.
"""

from __future__ import annotations

import sys
from pathlib import Path

MODULES = [
    "rlm_hypervisor",
    "rlm_hypervisor.partition",
    "rlm_hypervisor.partition.strings",
    "rlm_hypervisor.partition.datetimes",
    "rlm_hypervisor.partition.rolling",
    "rlm_hypervisor.partition.resampling",
    "rlm_hypervisor.errors",
    "rlm_hypervisor.secrets",
    "rlm_hypervisor.task",
]


def gathered(module: object) -> None:
    """Gives every class of a module what its bases of this package have."""
    for cls in [getattr(module, name) for name in getattr(module, "__all__", vars(module))]:
        if not (isinstance(cls, type) and cls.__module__.startswith("rlm_hypervisor.")):
            continue
        for base in cls.__mro__[1:]:
            if not base.__module__.startswith("rlm_hypervisor.") or issubclass(cls, BaseException):
                continue
            for name, member in list(vars(base).items()):
                if not name.startswith("_") and name not in vars(cls):
                    setattr(cls, name, member)


def main(directory: str) -> None:
    """Writes the pages."""
    import importlib

    import pdoc

    for name in MODULES:
        gathered(importlib.import_module(name))
    pdoc.render.configure(docformat="google", show_source=False)
    pdoc.pdoc(*MODULES, output_directory=Path(directory))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "site")
