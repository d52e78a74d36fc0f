"""Settings of a process, from the environment (``CARETRAIL_…``) or a ``.env`` file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

from caretrail_contracts.envelope import Sensitivity
from dotenv import dotenv_values
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

DOTTED = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"
"""Words with single dots between."""


class NotMigrated(Exception):
    """The databases were not made yet, or their addresses are not known here."""


class Settings(BaseSettings):
    """What a process needs to know of its surroundings.

    ``postgres_url`` is an administrator's and used by the migration alone; services connect as their
    own roles. ``clock_file`` names a shared clock of simulated time; without it the system's is used.
    The limit of a body, 8 MiB, leaves room for a remittance file of some 20,000 claims. Commands are turned
    away while more than ``unpublished_max`` events of the own log wait for Kafka, or ``queued_max`` of them
    wait in memory for the database.
    """

    model_config = SettingsConfigDict(
        env_prefix="CARETRAIL_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    home: Path = Path(".caretrail")
    kafka_bootstrap: str = ""
    postgres_url: SecretStr | None = None
    topic_prefix: str = Field("caretrail", pattern=DOTTED)
    database_prefix: str = "caretrail"
    cell: str = "main"
    organisation: str = "caretrail"
    program: str = "iop"
    sensitivity: Sensitivity = Sensitivity.PART2
    clock_file: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(0, ge=0, le=65_535)
    api_token: SecretStr | None = None
    body_bytes_max: int = Field(8_388_608, ge=1)
    unpublished_max: int = Field(1_000_000, ge=1)
    queued_max: int = Field(10_000, ge=1)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"

    @property
    def secrets(self) -> Path:
        """Where local secrets lie: the master key and the services' database addresses."""
        return self.home / "secrets"


def database_url(settings: Settings, name: str) -> str:
    """The address, with its own role, of a service's database or of the ``keystore``.

    ``CARETRAIL_<NAME>_DATABASE_URL``, of the environment or ``.env`` as all settings are, else what the
    migration wrote. Raises NotMigrated.
    """
    said = {**dotenv_values(".env"), **os.environ}
    if found := said.get(f"CARETRAIL_{name.upper()}_DATABASE_URL"):
        return found
    try:
        return str(json.loads((settings.secrets / "databases.json").read_text())[name])
    except (FileNotFoundError, KeyError):
        raise NotMigrated(
            f"no database of {name} is known: run `caretrail migrate`, "
            f"or set CARETRAIL_{name.upper()}_DATABASE_URL"
        ) from None
