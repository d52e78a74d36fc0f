"""The master key of a keystore: one for all its life, whichever home its services run in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from keystore.keys import MASTER, check_value, master_key, unwraps


class OtherMasterKey(Exception):
    """A keystore's keys are wrapped under another master key than the home's."""

    def __init__(self, secrets: Path) -> None:
        super().__init__(f"the keystore's keys are wrapped under another master key than {secrets / MASTER}")


ADVICE = (
    "Nothing was changed. What was sealed opens under the first key alone: copy secrets/master.key of the "
    "home that made these databases to this one, or name others with CARETRAIL_DATABASE_PREFIX and "
    "CARETRAIL_TOPIC_PREFIX."
)


def see_master(keystore: str, secrets: Path) -> None:
    """See that a home has the master key of a keystore's database. Raises OtherMasterKey and BadMaster.

    A home without a key is given none here: it may be waiting for the right one. A database in which no key
    was issued yet fits any.
    """
    with psycopg.connect(keystore) as connection:
        _see(connection, secrets)


def keep_master(keystore: str, secrets: Path) -> None:
    """Write down that a keystore's keys are wrapped under a home's master key. Raises OtherMasterKey."""
    with psycopg.connect(keystore) as connection:
        connection.execute(KEEP, (check_value(master_key(secrets)),))
        connection.commit()
        _see(connection, secrets)


def _see(connection: psycopg.Connection, secrets: Path) -> None:
    if not _is_under(connection, secrets):
        raise OtherMasterKey(secrets)


KEEP = b"insert into master (check_value) values (%s) on conflict do nothing"


def _is_under(connection: psycopg.Connection, secrets: Path) -> bool:
    master = master_key(secrets) if (secrets / MASTER).exists() else None
    if kept := _first(connection, "master", b"select check_value from master"):
        return master is not None and check_value(master) == kept[0]
    # Databases from before the check value was kept: any key of theirs tells.
    if issued := _first(
        connection, "keys", b"select kid, wrapped from keys where wrapped is not null limit 1"
    ):
        return master is not None and unwraps(master, *issued)
    return True


def _first(connection: psycopg.Connection, table: str, query: bytes) -> tuple[Any, ...] | None:
    (there,) = connection.execute("select to_regclass(%s) is not null", (table,)).fetchone() or (False,)
    return connection.execute(query).fetchone() if there else None
