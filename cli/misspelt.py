"""Settings that nobody reads: a misspelt one would be passed over in silence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

OTHER = re.compile(r"CARETRAIL_([A-Z]+_DATABASE_URL|(TEST|FAULTS|BENCH)_.+)")
"""Read by name, or by the project's own tests, benchmarks and fault runs."""


def warn() -> None:
    """Say which ``CARETRAIL_…`` of environment and ``.env`` are no settings, and which may be meant."""
    from cli import screen

    for line in unread():
        screen.err().print(line, style="yellow", soft_wrap=True)


def unread() -> Iterator[str]:
    """A sentence on each name that no settings have."""
    from dotenv import dotenv_values

    known = set(_known())
    for name in sorted({*os.environ, *dotenv_values(".env")}):
        if (
            not name.upper().startswith("CARETRAIL_")
            or name.upper() in known
            or OTHER.fullmatch(name.upper())
        ):
            continue
        meant = get_close_matches(name.upper(), known, 1, 0.8)
        yield f"{name} is no setting of this version" + (f": is {meant[0]} meant?" if meant else ".")


def _known() -> Iterator[str]:
    from cli.settings import CliSettings
    from deploy.local.backup import Where
    from deploy.local.programs import Mailing, options
    from deploy.topics import Replication

    kinds: list[type[BaseSettings]] = [CliSettings, Mailing, Replication, Where, *options()]
    for kind in kinds:
        for name in kind.model_fields:
            yield f"{kind.model_config.get('env_prefix', '')}{name}".upper()
