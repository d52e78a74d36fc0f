"""Audit's policies: it reacts to nothing, it keeps everything."""

from __future__ import annotations

from chassis.policy import Policies

policies = Policies()
