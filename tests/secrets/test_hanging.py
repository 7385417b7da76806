"""A provider that does not answer: Ctrl-C ends the wait for it."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import os, signal, sys, threading, time
    from rlm_hypervisor import RLMClient

    class Hangs:
        def get(self, name):
            if name == "there":
                return "the value"
            print("asked", flush=True)
            try:
                time.sleep(3600)
            except BaseException:
                # It tells nobody that it was interrupted.
                time.sleep(3600)

        def names(self):
            return self.get("*")

    client = RLMClient(workers=1, secrets=[Hangs()])
    assert client.secrets.get("there").reveal() == "the value"
    task = {"type": "sequential", "operation": abs, "input": 1, "options": {"secrets": ["other"]}}
    asks = {"get": lambda: client.secrets.get("other"), "names": client.secrets.names, "submit": lambda: client.submit(task)}
    try:
        asks[sys.argv[1]]()
    except KeyboardInterrupt:
        assert client.secrets.get("there").reveal() == "the value"
        print("interrupted", flush=True)
        os._exit(0)
"""


@pytest.mark.parametrize("what", ["get", "names", "submit"])
def test_ctrl_c_ends_the_wait_for_a_provider(what: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=20)
            assert out == "interrupted\n", errors
        finally:
            process.kill()
