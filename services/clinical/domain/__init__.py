"""Clinical's rules: measures and what they ask for."""
