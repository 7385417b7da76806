"""Tests of secrets: providers, use, rotation, and that they are in nothing that is told."""
