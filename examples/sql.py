"""Query a directory of Parquet files and a table in memory: `python examples/sql.py [source]`."""

from __future__ import annotations

import sys

import pyarrow as pa
from _data import orders
from rlm_hypervisor import RLMClient

QUERY = """
with totals as (
    select region, sum(quantity) quantity, count(*) orders
    from partition
    where quantity >= 5 and category is not null
    group by region
)
select r.label, t.quantity, t.orders, rank() over (order by t.quantity desc) place
from totals t join regions r on r.region = t.region
order by place
"""

REGIONS = pa.table(
    {
        "region": ["north", "east", "south", "west", "Übersee"],
        "label": ["North", "East", "South", "West", "Übersee (overseas)"],
    }
)


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else str(orders())
    with RLMClient() as client:
        run = client.submit(
            {
                "type": "parallel",
                "description": "Regions by quantity of large orders",
                "input": {"source": source},
                "operation": {"sql": QUERY, "tables": {"regions": REGIONS}},
            }
        )
        print(run.result().to_pandas())
        print(run.explain())


if __name__ == "__main__":
    main()
