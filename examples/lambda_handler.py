"""An AWS Lambda handler, unchanged: `(event, context)` in, a response out, with a deadline that really stops it."""

from __future__ import annotations

import json
import time
from typing import Any

from rlm_hypervisor import RLMClient, TaskTimeoutError


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Adds up an order, as long as there is time."""
    total = 0.0
    for record in event["records"]:
        if context.get_remaining_time_in_millis() < 50:
            raise TimeoutError("not enough time left")
        total += record["price"] * record["quantity"]
    return {"statusCode": 200, "body": json.dumps({"order": event["order"], "total": total})}


def stuck(event: dict[str, Any], context: Any) -> None:
    """One that never comes back."""
    while True:
        time.sleep(60)


def main() -> None:
    """Invokes both."""
    event = {"order": 17, "records": [{"price": 2.5, "quantity": 4}, {"price": 1.0, "quantity": 3}]}
    with RLMClient(workers=1) as client:
        response = client.execute(
            {
                "type": "sequential",
                "description": "Process event",
                "operation": handler,
                "input": event,
                "options": {"timeoutMs": 30000},
            }
        )
        print(response)
        try:
            client.execute(
                {"type": "sequential", "operation": stuck, "input": event, "options": {"timeoutMs": 200}}
            )
        except TaskTimeoutError as error:
            print(error)


if __name__ == "__main__":
    main()
