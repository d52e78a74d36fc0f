"""The demonstration: a seeded cohort plays the whole journey through the real services in simulated time."""
