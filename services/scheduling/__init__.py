"""Scheduling: tracks, groups, sessions, seats and attendance."""
