"""What scheduling is asked to do."""
