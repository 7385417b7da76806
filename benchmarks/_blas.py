"""One thread for each process that multiplies matrices: more would take the cores that others are to have.

To be imported before NumPy, which reads these variables once.
"""

from __future__ import annotations

import os

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

for name in VARIABLES:
    os.environ.setdefault(name, "1")
