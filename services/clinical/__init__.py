"""Clinical: measures, risk, diagnoses, signed notes."""
