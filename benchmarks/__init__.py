"""Measurements of the chassis beside programs that do the same durable work: ``make bench``."""
