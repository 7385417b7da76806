"""A Kubernetes Job whose container processed one file each: `parallelism: 10` becomes `chunkSize: 10`."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

from rlm_hypervisor import RLMClient, current_task

client = RLMClient()


@client.operation("process_file")
def process_file(path: str) -> dict[str, object]:
    """What the container's entry point did: one file in, one line of a report out."""
    with open(path, newline="", encoding="utf-8") as file:
        amounts = [float(row["amount"]) for row in csv.DictReader(file)]
    if current_task().attempt == 1 and path.endswith("3.csv"):
        raise ConnectionError("the store did not answer")  # it happens; `retries` is the Job's backoffLimit
    return {"file": Path(path).name, "rows": len(amounts), "total": sum(amounts)}


def write_files(directory: Path, count: int) -> list[str]:
    """Some files to process."""
    paths = []
    for number in range(count):
        path = directory / f"orders-{number}.csv"
        path.write_text("amount\n" + "\n".join(str(number * n) for n in range(5)) + "\n", encoding="utf-8")
        paths.append(str(path))
    return paths


def main() -> None:
    """Runs the job and shows its report."""
    with client, tempfile.TemporaryDirectory() as directory:
        files = write_files(Path(directory), 12)
        run = client.submit(
            {
                "type": "parallel",
                "description": "Process files",
                "input": {"items": files, "operation": "process_file", "chunkSize": 10},
                "options": {"retries": 2, "backoffMs": 10, "timeoutMs": 60_000},
            }
        )
        for line in run.result():
            print(line)
        print(run.metrics())


if __name__ == "__main__":
    main()
