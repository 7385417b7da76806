"""One command: the 22 queries of TPC-H, ours and its peers, as a table of medians and ratios.

python benchmarks/tpch.py --quick
python benchmarks/tpch.py --scale 1 --output docs/benchmarks-tpch.md
"""

from __future__ import annotations

import sys

from _suite import main

if __name__ == "__main__":
    sys.exit(main("tpch", full=1.0, quick=0.1))
