"""The `caretrail` command."""
