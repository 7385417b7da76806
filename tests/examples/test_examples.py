"""Every example runs as the program that it is, and every notebook from its first cell to its last."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROGRAMS = sorted(path for path in EXAMPLES.glob("*.py") if not path.name.startswith("_"))
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))

# A line that says that the example did what it is there for.
EXPECTED = {
    "async_jobs.py": "SCHEMA_MISMATCH",
    "celery_task.py": "'square': 15129",
    "in_memory.py": "Arrow ",
    "kubernetes_job.py": "'chunks_succeeded': 12",
    "lambda_handler.py": "'statusCode': 200",
    "seed_job.py": "category 000",
    "sql.py": "Übersee",
    "spark_port_parity.py": "101 groups agree",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("data"))


def test_every_example_says_what_it_prints() -> None:
    assert {path.name for path in PROGRAMS} == set(EXPECTED)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_program(program: Path, data: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        env={**os.environ, "RLM_DATA_DIR": data, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert EXPECTED[program.name] in run.stdout


# Jupyter's own packages warn about each other.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook(path: Path, data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLM_DATA_DIR", data)
    monkeypatch.setenv("IPYTHONDIR", str(Path(data) / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": str(EXAMPLES)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("text/html" in output.get("data", {}) for output in outputs), "no table was shown"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
