"""Audit's view of the other services: their digests over HTTP."""
