"""Tests of the structure: lists that must not drift, borders that must not be crossed."""
