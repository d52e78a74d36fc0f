"""What notifications decides: pure, without I/O, clock or frameworks."""
