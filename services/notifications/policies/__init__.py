"""What notifications does about events, its own and other services'."""
