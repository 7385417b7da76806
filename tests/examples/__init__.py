"""Tests of the examples, the notebook and the code in the documents."""
