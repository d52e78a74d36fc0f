"""Audit, wired."""

from __future__ import annotations

from chassis.service import Service
from services.audit.api import router
from services.audit.commands import handlers
from services.audit.options import Options
from services.audit.policies import policies
from services.audit.projections import Ledger

service = Service(
    name="audit",
    handlers=handlers,
    policies=policies,
    archives=(Ledger(),),
    router=router,
    options=Options(),
)
