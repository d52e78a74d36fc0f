"""The register of billing's policies."""

from __future__ import annotations

from chassis.policy import Policies

policies = Policies()
