"""The HTTP edge of clinical: measures, risk, diagnoses, session notes."""
