"""What scheduling shows: tracks and groups, rosters, waitlists, sessions, attendance, the weekly dose."""
