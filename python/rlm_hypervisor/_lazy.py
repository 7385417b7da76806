"""Optional libraries: found if they are already loaded, imported when they are needed, named if missing."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

EXTRAS = {
    "pandas": "pandas",
    "pyarrow": "arrow",
    "polars": "polars",
    "IPython": "notebook",
    "pyrage": "secrets",
    "keyring": "secrets",
}
"""Which extra brings which library."""


def require(module: str, purpose: str) -> Any:
    """Imports an optional library, or says how to get it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        extra = EXTRAS.get(module, module)
        raise ImportError(
            f'{purpose} needs {module}, which is not installed: pip install "rlm-hypervisor[{extra}]"'
        ) from error


def loaded(module: str) -> ModuleType | None:
    """The library if someone has imported it; an instance of its classes cannot exist otherwise."""
    return sys.modules.get(module)


def is_instance(value: object, module: str, *names: str) -> bool:
    """Whether the value is of a class of an optional library, without importing it."""
    library = loaded(module)
    if library is None:
        return False
    classes = tuple(cls for name in names if isinstance(cls := getattr(library, name, None), type))
    return isinstance(value, classes)
