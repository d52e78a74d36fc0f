"""What audit can be told."""

from __future__ import annotations

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Options(BaseSettings):
    """Audit's own settings. ``service_urls`` gives the base URL of each service, as JSON."""

    model_config = SettingsConfigDict(env_prefix="CARETRAIL_", env_file=".env", extra="ignore", frozen=True)

    service_urls: dict[str, str] = {}
    api_token: SecretStr | None = None
