"""Queries that are long enough for files of their own."""
