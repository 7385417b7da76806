"""Every way to name a source."""
