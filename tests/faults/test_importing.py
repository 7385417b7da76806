"""The library may be loaded by any thread, and that thread may end: which one it was makes no difference."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADS = """
import threading

def on_a_thread(work):
    raised = []
    def run():
        try:
            work()
        except BaseException as error:
            raised.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]

def sums(p):
    return p.groupby("k")["v"].sum()

def ask():
    import pyarrow as pa
    from rlm_hypervisor import RLMClient
    data = pa.table({"k": [f"key {n % 7}" for n in range(1_000)], "v": range(1_000)})
    with RLMClient(threads=2) as client:
        document = {"type": "parallel", "description": "sums", "input": {"source": data, "operation": sums}}
        answer = client.execute(document).to_arrow()
    assert sum(answer["v"].to_pylist()) == 499_500, answer

def load():
    from rlm_hypervisor import _core
    _core.redact("text")
"""

ENDS = {
    "the thread ends at once": "on_a_thread(load)",
    "it worked before": "on_a_thread(ask)",
    "it is the first": "load()",
    "it is the first, and others work beside it": "load()\nthreading.Thread(target=ask).start()",
}


@pytest.mark.parametrize("begin", ENDS.values(), ids=ENDS)
def test_the_thread_that_loads_the_library_may_end(begin: str) -> None:
    """Later threads are given the same stack, by which an allocator may take them for it."""
    script = f"{LOADS}\n{begin}\nfor _ in range(8):\n    on_a_thread(load)\n    on_a_thread(ask)\nask()\nprint('right')"
    command = [sys.executable, "-W", "error", "-X", "faulthandler", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "right\n", "")
