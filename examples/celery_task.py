"""A Celery task, and a chord: a header of tasks in parallel and a callback over their results."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import RLMClient, operation, split


@operation("process-data", description="Process data")
def process_data(data: dict[str, int]) -> dict[str, int]:
    """What was decorated with `@app.task`."""
    return {"dataId": data["dataId"], "square": data["dataId"] ** 2}


def word_count(lines: list[str]) -> Any:
    """What was a chord: halves of the text are counted wherever a worker is free, and then added up."""
    if len(lines) <= 2:
        return sum(len(line.split()) for line in lines)
    half = len(lines) // 2
    return split([lines[:half], lines[half:]], combine=sum)


def main() -> None:
    """Runs the task, found by its description, and the chord."""
    with RLMClient() as client:
        print(
            client.execute(
                {
                    "type": "recursive",
                    "description": "Process data",
                    "input": {"dataId": 123},
                    "options": {"priority": "normal"},
                }
            )
        )
        text = ["to be or not to be", "that is the question", "whether tis nobler"] * 5
        run = client.submit({"type": "recursive", "operation": word_count, "input": text})
        print(run.result())
        print(run.explain())


if __name__ == "__main__":
    main()
