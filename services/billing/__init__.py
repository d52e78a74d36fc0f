"""Billing: authorizations, charges, claims, remittances, denials and appeals."""
