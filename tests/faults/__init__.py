"""What happens when files are broken: an error that names them, never a crash."""
