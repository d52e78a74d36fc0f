"""What clinical can be asked to do."""
