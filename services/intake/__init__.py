"""Intake: referrals, persons, episodes of care."""
