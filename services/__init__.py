"""The independent services of care coordination; each owns its data and speaks by events."""
