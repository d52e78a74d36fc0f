"""What billing can be asked to do: contracts, authorizations, charges, claims, remittances, denials."""
