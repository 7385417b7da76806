"""`python -m rlm_hypervisor`."""

from rlm_hypervisor.cli import main

raise SystemExit(main())
