"""Random damage: whatever a file holds, there is an answer or an error of ours, never a crash, never a hang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT

ROUNDS = 200

PROGRAM = """
import random, sys
sys.path.insert(0, {root!r})
from rlm_hypervisor import RLMClient, RLMError
from tests.conftest import make_task

folder, seed, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
content = open(folder + "/good.parquet", "rb").read()
chance = random.Random(seed)
client = RLMClient(threads=2, memory_limit="500MB")
path = folder + "/damaged.parquet"
operations = [
    lambda p: p.groupby("k")["x"].sum(),
    lambda p: p,
    lambda p: p[p["i"] > 3]["s"].count(),
    lambda p: p.sort_values("s").head(5),
]
outcomes = {{}}
for n in range(rounds):
    damaged = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    if chance.random() < 0.1:
        del damaged[chance.randrange(len(damaged)):]
    open(path, "wb").write(damaged)
    task = make_task(path, chance.choice(operations), chunkSize=chance.choice([1, 7, 10_000]))
    try:
        client.execute(task | {{"options": {{"timeoutMs": 20_000}}}})
        outcome = "answer"
    except RLMError as error:
        outcome = error.code
        assert "panic" not in str(error), (n, str(error))
        # A damaged schema may rename a column or change its type: that error is about the column.
        assert not error.code.startswith("SOURCE") or "damaged.parquet" in str(error), (n, error.code, str(error))
    outcomes[outcome] = outcomes.get(outcome, 0) + 1
print(sorted(outcomes.items()))
assert sum(outcomes.values()) == rounds
assert outcomes.get("INTERNAL", 0) == 0 and outcomes.get("TIMEOUT", 0) == 0
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("dictionary", [True, False], ids=["dictionaries", "plain"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_random_bytes(tmp_path: Path, dictionary: bool, version: str) -> None:
    data = pa.table(
        {
            "k": [f"k{n % 5}" for n in range(60)],
            "x": [None if n % 7 == 0 else n / 4 for n in range(60)],
            "i": list(range(60)),
            "s": [f"text number {n}" for n in range(60)],
        }
    )
    compression = "snappy" if dictionary else "none"
    pq.write_table(
        data,
        tmp_path / "good.parquet",
        row_group_size=25,
        use_dictionary=dictionary,
        compression=compression,
        data_page_version=version,
    )
    seed = 1 + dictionary + 2 * (version == "2.0")
    command = [
        sys.executable,
        "-c",
        PROGRAM.format(root=str(ROOT)),
        str(tmp_path),
        str(seed),
        str(ROUNDS // 4),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=570, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
