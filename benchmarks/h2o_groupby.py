"""One command: the ten group-by questions of db-benchmark, ours and its peers, as a table of medians and ratios.

python benchmarks/h2o_groupby.py --quick
python benchmarks/h2o_groupby.py --rows 10_000_000 --output docs/benchmarks-h2o-groupby.md
"""

from __future__ import annotations

import sys

from _suite import main

if __name__ == "__main__":
    sys.exit(main("h2o_groupby", full=10_000_000, quick=1_000_000))
