"""The register of scheduling's command handlers."""

from __future__ import annotations

from chassis.command import Handlers

handlers = Handlers()
