"""TPC-H: its tables and all 22 queries, in pandas, SQL and Polars."""
