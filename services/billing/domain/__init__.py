"""What billing decides: charges, authorizations, remittances, denials and appeals; pure, without I/O or clock."""
