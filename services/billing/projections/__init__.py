"""What billing shows and decides by: evidence, subscribers, authorizations, charges, claims, denials."""
