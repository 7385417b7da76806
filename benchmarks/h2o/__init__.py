"""H2O.ai's db-benchmark: its tables, the ten group-by questions and the five joins."""
