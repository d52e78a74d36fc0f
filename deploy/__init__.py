"""Ways to run Caretrail."""
