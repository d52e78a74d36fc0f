"""Queries of the operations, a file each."""
