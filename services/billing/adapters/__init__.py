"""The doors of billing to formats of the outside world: X12 claims and remittances."""
