"""Intake's policies: it begins the story and reacts to nobody yet."""

from __future__ import annotations

from chassis.policy import Policies

policies = Policies()
