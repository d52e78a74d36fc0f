"""The HTTP edge of scheduling: configuration, sessions, attendance, lists."""
