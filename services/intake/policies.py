"""Reactions: intake has none, since every step of a referral is a person's decision."""

from __future__ import annotations

from chassis.policy import Policies

policies = Policies()
