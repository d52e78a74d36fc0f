"""Audit, wired."""

from __future__ import annotations

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.service import Service
from services.audit.api import router
from services.audit.commands import handlers
from services.audit.policies import policies
from services.audit.projections import Ledger


class AuditOptions(BaseSettings):
    """Audit's own settings. ``service_urls`` gives the base URL of each service, as JSON."""

    model_config = SettingsConfigDict(env_prefix="CARETRAIL_", env_file=".env", extra="ignore", frozen=True)

    service_urls: dict[str, str] = {}
    api_token: SecretStr | None = None


service = Service(
    name="audit",
    handlers=handlers,
    policies=policies,
    archives=(Ledger(),),
    router=router,
    options=AuditOptions(),
)
