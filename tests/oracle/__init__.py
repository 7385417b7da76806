"""Answers compared with what pandas and DuckDB say about the whole data."""
