"""What scheduling decides: seats, waitlists, sessions, attendance, runs of misses."""
