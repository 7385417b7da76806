"""The end of a script while threads of the engine are in code of its: the status is its own, and nothing it printed is lost."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.client._helpers import python

BUSY = {
    "spins": "while True: pass",
    "naps": "while True: time.sleep(0.0005)",
    "sleeps": "time.sleep(3600)",
    "will not be stopped": """
        while True:
            try:
                while True: time.sleep(0)
            except BaseException:
                pass
    """,
}
"""What code of the user's does when the script ends."""

PLACES = {
    "generator": """
        def items():
            yield 1
            busy()
        run = client.submit({"type": "parallel", "input": {"items": items(), "operation": str}})
    """,
    "callback": """
        import asyncio
        class Loop(asyncio.SelectorEventLoop):
            def call_soon_threadsafe(self, *given, **more):
                busy()
        async def wait():
            return await run
        run = client.submit(long_task(sys.argv[1]))
        loop = Loop()
        threading.Thread(target=lambda: loop.run_until_complete(wait()), daemon=True).start()
        while not loop.is_running(): time.sleep(0.001)
        asyncio.SelectorEventLoop.call_soon_threadsafe(loop, run.cancel)
    """,
    "provider": """
        class Provider:
            def get(self, name):
                busy()
        client = RLMClient(secrets=[Provider()])
        threading.Thread(target=lambda: client.secrets.get("name"), daemon=True).start()
    """,
    "a thread of the script": """
        client = RLMClient(worker_kind="threads", workers=2)
        # As a function of a module, which is not sent along.
        threading.busy = busy
        def operation(value):
            if value["busy"]:
                import threading
                threading.busy()
        task = lambda busy: {"type": "sequential", "operation": operation, "input": {"busy": busy}}
        # Calls that are short come to the thread that asks for them.
        for _ in range(3):
            client.execute(task(False))
        def ask():
            with contextlib.suppress(TaskCancelledError):
                client.execute(task(True))
        threading.Thread(target=ask, daemon=True).start()
    """,
}
"""Where it is called."""

PROGRAM = """
import atexit, contextlib, threading, time
atexit.register(print, "at exit")
began = threading.Event()
def busy():
    began.set()
{busy}
client = RLMClient(threads=2, workers=1)
{place}
assert began.wait(60)
print("ends" + "." * 100_000)
sys.exit({status})
"""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("busy", BUSY)
def test_a_script_ends_while_its_code_is_called(busy: str, place: str, tmp_path: Path) -> None:
    status = 3 if busy == "naps" else 0
    code = textwrap.indent(textwrap.dedent(BUSY[busy]).strip("\n"), "    ")
    program = PROGRAM.format(busy=code, place=textwrap.dedent(PLACES[place]), status=status)
    ended = python(program, str(tmp_path))
    assert ended.returncode == status, ended.stderr
    assert ended.stdout == "ends" + "." * 100_000 + "\nat exit\n"
    assert not ended.stderr


def test_what_is_called_at_exit_may_make_a_client_and_leave_its_code_busy() -> None:
    ended = python("""
        import atexit, pandas, threading
        from rlm_hypervisor.client import _close_all

        began = threading.Event()
        def items():
            yield 0
            began.set()
            while True: pass

        def late():
            client = RLMClient(threads=1, workers=1)
            print(client.execute(make_task(pandas.DataFrame({"a": [1, 2]}), lambda partition: partition["a"].sum())))
            print(client.execute({"type": "parallel", "input": {"items": iter(range(3)), "operation": str}}))
            client.submit({"type": "parallel", "input": {"items": items(), "operation": str}})
            assert began.wait(60)
            client.close()
            print("closed")

        # As if it had been registered before the package was imported.
        atexit.unregister(_close_all)
        atexit.register(late)
        atexit.register(_close_all)
        client = RLMClient(threads=1)
    """)
    assert ended.returncode == 0 and not ended.stderr, ended.stderr
    assert ended.stdout == "3\n['0', '1', '2']\nclosed\n"
