"""What runs in a worker process; nothing here is imported by the process that has the client."""
