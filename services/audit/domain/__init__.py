"""What the audit decides: whether stores and ledger hold the same events."""
