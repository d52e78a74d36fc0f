"""The HTTP edge of billing: contracts, authorizations, charges, claims, remittances, denials."""
