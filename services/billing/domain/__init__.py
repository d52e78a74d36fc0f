"""What billing decides: charges, authorizations, remittances, denials, appeals; no I/O, no clock."""
