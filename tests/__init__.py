"""The test suite: mirrors the package and holds the oracles it is measured against."""
