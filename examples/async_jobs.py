"""Several jobs at once under one event loop, as in a web service or a notebook."""

from __future__ import annotations

import asyncio
from typing import Any

from _data import orders
from rlm_hypervisor import RLMClient, RLMError


def by_region(partition: Any) -> Any:
    return partition.groupby("region")["value"].agg(["mean", "std", "count"])


def largest(partition: Any) -> Any:
    return partition.nlargest(3, "value")


def total(partition: Any) -> Any:
    return (partition["value"] * partition["quantity"]).sum()


def misspelt(partition: Any) -> Any:
    return partition["valeu"].sum()


async def main() -> None:
    source = str(orders())
    with RLMClient() as client:
        jobs = [
            client.aexecute({"type": "parallel", "input": {"source": source, "operation": operation}})
            for operation in (by_region, largest, total, misspelt)
        ]
        for answer in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(answer, RLMError):
                print(f"{answer.code}: {answer.message}")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                print(answer)


if __name__ == "__main__":
    asyncio.run(main())
