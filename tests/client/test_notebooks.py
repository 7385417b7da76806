"""In a notebook: a bar that is updated in place, `await` on the running loop, a table as the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.client._helpers import PRELUDE

LONG = """
client = RLMClient(threads=2)
try:
    client.execute(long_task({folder!r}, options={{"timeoutMs": 6_000}}))
except TimeoutError as error:
    print(error.code)
"""
AWAITED = """
import pyarrow as pa
table = pa.table({"k": ["a", "b", "a"], "v": [1, 2, 3]})
assert await client.aexecute(make_task(table, lambda p: p["v"].sum())) == 6
run = await client.asubmit(make_task(table, lambda p: p.groupby("k")["v"].sum()))
await run
"""


class _Kernel(NotebookClient):
    """Keeps every message that the kernel sends to the page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.messages: list[dict[str, Any]] = []

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        self.messages.append(msg)
        return super().process_message(msg, cell, cell_index)


# Jupyter's own packages warn about each other.
@pytest.mark.filterwarnings("default")
def test_a_notebook(slow_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    cells = [PRELUDE, LONG.format(folder=str(slow_folder)), AWAITED]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    kernel = _Kernel(notebook, timeout=60, kernel_name="python3")
    kernel.execute()
    shown = [m for m in kernel.messages if m["msg_type"] == "display_data"]
    updated = [m for m in kernel.messages if m["msg_type"] == "update_display_data"]
    assert len(shown) == 1, "one output, updated in place"
    assert "_by_key" in shown[0]["content"]["data"]["text/html"]
    assert (
        "%" in updated[0]["content"]["data"]["text/plain"]
        or "rows" in updated[0]["content"]["data"]["text/plain"]
    )
    display = shown[0]["content"]["transient"]["display_id"]
    assert {m["content"]["transient"]["display_id"] for m in updated} == {display}
    assert updated[-1]["content"]["data"]["text/html"] == "", "taken away at the end"
    outputs = [output for cell in notebook.cells for output in cell["outputs"]]
    assert any(output.get("text") == "TIMEOUT\n" for output in outputs)
    (answer,) = (output for output in outputs if output["output_type"] == "execute_result")
    assert "<table" in answer["data"]["text/html"]
