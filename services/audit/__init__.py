"""Audit: the ledger of every event, replay, and what was known when."""
