"""The register of notifications' policies."""

from __future__ import annotations

from chassis.policy import Policies

policies = Policies()
