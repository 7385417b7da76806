"""A client whose whole process is killed at a random moment, and what lives on of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.faults._workers import PRELUDE

PROGRAM = (
    PRELUDE
    + """
client = RLMClient(threads=1, workers=3)
print("made", flush=True)
def operation(item):
    if item % 5 == 4:
        import subprocess
        subprocess.Popen(["sleep", "3600"], start_new_session=True)
    time.sleep(0.002)
    return bytes(400_000) if item % 7 == 6 else item
while True:
    client.submit(task(operation, range(50))).wait()
"""
)


def orphaned(seconds: float) -> tuple[list[int], int]:
    """What lives on a moment after the death of a client that ran so long, and how many processes it had."""
    command = [sys.executable, "-c", PROGRAM]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        time.sleep(seconds)
        # Its workers' marks begin with its number.
        mark = f"RLM_HYPERVISOR_WORKER={process.pid}-".encode()
        had = len(_marked(mark))
    finally:
        process.kill()
        process.communicate()
    patience = time.monotonic() + 5
    while (left := _marked(mark)) and time.monotonic() < patience:
        time.sleep(0.01)
    return left, had


def _marked(mark: bytes) -> list[int]:
    """The living processes that have a variable which begins so."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if any(entry.startswith(mark) for entry in file.read().split(b"\0")):
                    found.append(int(name))
        except OSError:
            continue
    return found
