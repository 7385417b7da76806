"""The files of the project as text, and the part of a Rust file that is not for tests."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

SRC = ROOT / "src"
GENERATED = {"target", "__pycache__", ".venv", "site", "data", ".git", ".hypothesis"}


def files(suffix: str, *folders: str) -> list[Path]:
    """The files of the project with this suffix in these folders, nothing generated among them."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob(f"*{suffix}"))]
    return [path for path in found if not GENERATED & set(path.relative_to(ROOT).parts)]


def name(path: Path) -> str:
    """The path within the project."""
    return str(path.relative_to(ROOT))


_TEST_MODULE = re.compile(
    r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*"
    r"(?:#\[(?:path = \"(?P<path>[^\"]+)\"|[^\]]*)\]\s*)*"
    r"(?:pub(?:\([^)]*\))? )?mod (?P<name>\w+)\s*(?P<end>;|\{)"
)


def production(text: str) -> str:
    """Rust code without its test modules and comments; lines keep their numbers."""
    kept = text
    while match := _TEST_MODULE.search(kept):
        if match["end"] == ";":
            gone = (match.start(), match.end())
        else:
            closing = kept.find("\n}", match.end())
            gone = (match.start(), len(kept) if closing < 0 else closing + 2)
        kept = kept[: gone[0]] + "\n" * kept[slice(*gone)].count("\n") + kept[gone[1] :]
    return "\n".join(re.sub(r"(^|\s)//.*", "", line) for line in kept.splitlines())


def files_of_tests() -> set[Path]:
    """Rust files that are only compiled for tests."""
    found = set()
    for path in files(".rs", "src"):
        home = path.parent if path.stem in ("mod", "lib", "main") else path.with_suffix("")
        for module in _TEST_MODULE.finditer(path.read_text(encoding="utf-8")):
            if module["path"]:
                found.add(path.parent / module["path"])
            elif module["end"] == ";":
                found |= {home / f"{module['name']}.rs", *(home / module["name"]).rglob("*.rs")}
    return found


def rust() -> Iterator[tuple[Path, str]]:
    """Every Rust file that is compiled into the product, and its code."""
    only_tests = files_of_tests()
    for path in files(".rs", "src"):
        if path not in only_tests:
            yield path, production(path.read_text(encoding="utf-8"))


def cargo(*arguments: str) -> str:
    """What cargo prints; the test is skipped where there is none."""
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    done = subprocess.run(
        ["cargo", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
