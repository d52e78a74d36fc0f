"""Formats of the outside world that intake reads: FHIR R4 referrals."""
