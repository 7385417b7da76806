"""Progress of a run: the numbers, and the bar that appears when a run takes longer than a second."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlm_hypervisor.run import CoreRun

__all__ = ["Accounting", "Progress"]

INTERVAL = 0.2
"""Seconds between two updates of the bar."""


@dataclass(frozen=True, slots=True)
class Accounting:
    """What became of the chunks; `accepted` is the sum of the others and of those still to come.

    `restored` is no end of its own: so many of those that ended were done by an earlier run with the same key.
    """

    accepted: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    skipped: int = 0
    dead_lettered: int = 0
    restored: int = 0

    @property
    def pending(self) -> int:
        """Accepted and not ended yet."""
        ended = self.succeeded + self.failed + self.dead_lettered + self.cancelled + self.skipped
        return self.accepted - ended


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        chunks_done: chunks that have ended.
        chunks_total: all chunks; None while that is not known.
        rows_done: rows read.
        bytes_read: bytes read from files or object stores.
        elapsed_seconds: since the start, until now or the end.
        stage: what it is doing, in a word.
        accounting: how the chunks ended.
    """

    chunks_done: int
    chunks_total: int | None
    rows_done: int
    bytes_read: int
    elapsed_seconds: float
    stage: str
    accounting: Accounting

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Progress:
        """From what the core says."""
        counts = facts.get("accounting") or {}
        known = {name: int(counts.get(name, 0)) for name in Accounting.__slots__}
        return cls(
            chunks_done=int(facts.get("chunks_done") or 0),
            chunks_total=facts.get("chunks_total"),
            rows_done=int(facts.get("rows_done") or 0),
            bytes_read=int(facts.get("bytes_read") or 0),
            elapsed_seconds=float(facts.get("elapsed_seconds") or 0.0),
            stage=str(facts.get("stage") or ""),
            accounting=Accounting(**known),
        )

    @property
    def fraction(self) -> float | None:
        """From 0 to 1; None while the number of chunks is not known."""
        if self.chunks_total is None:
            return None
        return min(self.chunks_done / self.chunks_total, 1.0) if self.chunks_total else 1.0


def watch(core: CoreRun, name: str, wanted: Any) -> None:
    """Waits until the run has ended, showing a bar where there is someone to see it."""
    bar = _bar(wanted)
    if bar is None:
        core.wait(None)
        return
    try:
        while not core.wait(INTERVAL):
            bar.show(name, Progress.of(core.progress()))
    finally:
        bar.close()


def _bar(wanted: Any) -> Bar | None:
    display = _notebook()
    if display is not None:
        return NotebookBar(display)
    try:
        tty = sys.stderr is not None and sys.stderr.isatty()
    except (ValueError, OSError):  # closed
        return None
    return TerminalBar() if tty or (wanted is True and sys.stderr is not None) else None


def _notebook() -> Any:
    """IPython's `display` inside a kernel, else None. IPython is not imported for this."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from importlib import import_module

    return import_module("IPython.display").display


class Bar:
    """Shows progress; an output that is gone never breaks a run."""

    def show(self, name: str, progress: Progress) -> None:
        """Shows the newest numbers."""
        raise NotImplementedError

    def close(self) -> None:
        """Takes the bar away."""
        raise NotImplementedError


class TerminalBar(Bar):
    """One line on stderr, written over and over, erased at the end."""

    def __init__(self) -> None:
        self._shown = 0

    def show(self, name: str, progress: Progress) -> None:
        import shutil

        width = max(shutil.get_terminal_size().columns - 1, 10)
        text = line(name, progress, width)
        self._write("\r" + text + " " * max(self._shown - len(text), 0))
        self._shown = len(text)

    def close(self) -> None:
        if self._shown:
            self._write("\r" + " " * self._shown + "\r")

    def _write(self, text: str) -> None:
        stream = sys.stderr
        if stream is None:
            return
        try:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
            stream.flush()
        except (ValueError, OSError, LookupError):
            pass


class NotebookBar(Bar):
    """One output of the cell, updated in place."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None

    def show(self, name: str, progress: Progress) -> None:
        self._update({"text/plain": line(name, progress, 78), "text/html": html(name, progress)})

    def close(self) -> None:
        if self._handle is not None:
            self._update({"text/plain": "", "text/html": ""})

    def _update(self, bundle: dict[str, str]) -> None:
        try:
            if self._handle is None:
                self._handle = self._display(bundle, raw=True, display_id=True)
            else:
                self._handle.update(bundle, raw=True)
        except Exception:  # the front end went away; the run is what matters
            self._handle = None


def line(name: str, progress: Progress, width: int) -> str:
    """The bar as text, no wider than `width`."""
    fraction = progress.fraction
    done = f"{progress.rows_done:,} rows, {progress.elapsed_seconds:.0f} s"
    if progress.chunks_total:
        done = f"{progress.chunks_done:,}/{progress.chunks_total:,} chunks, {done}"
    if fraction is None:
        return f"{name}  {done}"[:width]
    room = min(width - len(name) - len(done) - 13, 40)
    percent = f"{fraction:4.0%}"
    if room < 5:
        return f"{name} {percent}  {done}"[:width]
    full = int(room * fraction)
    return f"{name} [{'#' * full}{'.' * (room - full)}] {percent}  {done}"[:width]


def html(name: str, progress: Progress) -> str:
    """The bar for a notebook."""
    from html import escape

    fraction = progress.fraction
    value = "" if fraction is None else f' value="{fraction:.4f}"'
    text = f"{progress.rows_done:,} rows, {progress.elapsed_seconds:.0f} s"
    return f'<div>{escape(name)} <progress max="1"{value}></progress> <small>{escape(text)}</small></div>'
