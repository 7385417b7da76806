"""The command line: `python -m rlm_hypervisor doctor` says what is installed and what a client uses."""

from __future__ import annotations

import sys
from collections.abc import Sequence

LIBRARIES = ("pandas", "pyarrow", "polars", "numpy", "IPython")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    import argparse

    parser = argparse.ArgumentParser(prog="rlm-hypervisor", description="RLM Hypervisor")
    parser.add_argument("--version", action="store_true", help="say which version this is")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("doctor", help="say what is installed, and what a client would use")
    asked = parser.parse_args(arguments)
    if asked.version:
        from rlm_hypervisor import _core

        print(_core.__version__)
        return 0
    if asked.command is None:
        parser.error("a command is missing: doctor")
    return doctor()


def doctor() -> int:
    """Prints versions, settings and extras; 1 if the core cannot be loaded or does not work."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    print(f"python           {platform.python_version()} on {platform.platform()}")
    try:
        from rlm_hypervisor import _core
        from rlm_hypervisor.client import RLMClient

        print(f"rlm-hypervisor   {_core.__version__}")
        with RLMClient() as client:
            for name, value in client._engine.settings().items():
                print(f"{name:<16} {value}")
    except Exception as error:
        print(f"the core does not work: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    for library in LIBRARIES:
        try:
            print(f"{library:<16} {version(library)}")
        except PackageNotFoundError:
            print(f"{library:<16} not installed")
    return 0
