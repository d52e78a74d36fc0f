"""What is measured beside: programs that do the same durable work on the same servers."""
