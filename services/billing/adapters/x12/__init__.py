"""X12 5010 as billing speaks it: remittance advice (835) in, professional claims (837P) out."""
