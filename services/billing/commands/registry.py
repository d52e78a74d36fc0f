"""The register of billing's command handlers."""

from __future__ import annotations

from chassis.command import Handlers

handlers = Handlers()
