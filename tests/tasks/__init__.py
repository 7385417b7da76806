"""Tests of tasks whose operation runs in workers."""
