"""The project itself: its verbs, what an install brings, and what a wheel is told to hold."""

from __future__ import annotations

import re

import tomllib
from rlm_hypervisor import _lazy

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CRATE = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
VERBS = {"demo", "test", "lint", "bench", "docs", "wheel"}


def test_the_verbs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    described = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert described >= VERBS
    (phony,) = re.findall(r"^\.PHONY: (help .*)$", makefile, re.MULTILINE)
    assert described <= set(phony.split())


def test_continuous_integration_runs_every_test() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, "not executable"
    assert script.read_text(encoding="utf-8").rstrip().endswith("exec make test")


def test_the_base_install_needs_next_to_nothing() -> None:
    assert [re.split(r"[<>=]", name)[0] for name in PROJECT["project"]["dependencies"]] == ["cloudpickle"]


def test_what_is_missing_is_found_in_the_extra_that_is_named() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    for library, extra in _lazy.EXTRAS.items():
        names = {re.split(r"[<>=]", name)[0].lower() for name in extras[extra]}
        assert library.lower() in names, f"{library} is not in [{extra}]"
    assert {"pandas", "polars", "notebook"} <= set(extras)
    (everything,) = extras["all"]
    assert set(re.findall(r"\w+", everything.partition("[")[2])) == set(extras) - {"all"}


def test_one_wheel_for_every_interpreter() -> None:
    maturin = PROJECT["tool"]["maturin"]
    assert {"abi3", "extension-module"} <= set(maturin["features"])
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=").replace(".", "")
    assert f"abi3-py{oldest}" in (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    assert (ROOT / "python" / "rlm_hypervisor" / "py.typed").exists()


def test_the_licence() -> None:
    assert PROJECT["project"]["license"] == CRATE["package"]["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_every_heavy_dependency_has_its_reason() -> None:
    """The largest ones; the table in the document has the smaller ones too."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert "```mermaid" in text
    for crate in ("datafusion", "arrow", "parquet", "object_store", "tokio", "pyo3", "reqwest", "mimalloc"):
        assert crate in CRATE["dependencies"], crate
        assert re.search(rf"^\| [^|]*`{crate}`[^|]* \|", text, re.MULTILINE), crate
