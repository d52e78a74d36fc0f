"""A payer for the local stack: a party of its own, reached only through folders of files."""
