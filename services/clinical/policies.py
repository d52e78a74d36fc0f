"""Clinical reacts to no event yet: what it records, somebody at the patient's side decided."""

from __future__ import annotations

from chassis.policy import Policies

policies = Policies()
