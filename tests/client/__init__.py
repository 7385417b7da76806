"""The contract of clients, tasks, results, runs and errors."""
