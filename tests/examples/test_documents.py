"""The code in README and guides runs as it stands, one document as one program, and prints what it says."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)( no-run)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)\)")
DOCUMENTS = {
    "README.md": 1,
    "docs/guide/pandas.md": 0,
    "docs/guide/porting-pyspark.md": 0,
    "docs/guide/sql.md": 0,
    "docs/guide/tasks.md": 0,
    "docs/guide/reading.md": 0,
    "docs/guide/writing.md": 0,
    "docs/guide/secrets.md": 0,
    "docs/guide/serving.md": 0,
    "docs/guide/threads.md": 0,
}
"""Each with how many Python blocks to leave out at its beginning: they need a bucket."""


def blocks(document: str) -> tuple[str, list[str]]:
    """The program of a document, and the output that follows in it."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = [(kind, body) for kind, skipped, body in BLOCK.findall(text) if not skipped]
    code = [body for kind, body in found if kind == "python"][DOCUMENTS[document] :]
    outputs = [
        body
        for (before, _), (kind, body) in itertools.pairwise(found)
        if (before, kind) == ("python", "text")
    ]
    return "\n".join(code), outputs


def test_every_guide_runs() -> None:
    guides = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "guide").glob("*.md")}
    assert guides <= set(DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_code(document: str, tmp_path: Path) -> None:
    program, outputs = blocks(document)
    assert outputs, "no output is shown"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for output in outputs:
        assert output in run.stdout


PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in LINK.findall(text):
        assert (path.parent / target).exists(), target


def test_generated_pages_are_up_to_date() -> None:
    script = str(ROOT / "scripts" / "docs.py")
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_nothing_is_left_to_fill_in() -> None:
    for path in PAGES:
        left = re.search(r"<!-- (?!Written by).*?-->", path.read_text(encoding="utf-8"), re.DOTALL)
        assert left is None, f"{path}: {left and left.group()}"
