"""Migration: databases and run-time roles by an administrator, tables by plain SQL files (yoyo)."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from yoyo import get_backend, read_migrations

import chassis
import keystore
import operations
from chassis.config import NotMigrated, Settings
from deploy.master import keep_master, see_master
from keystore.keys import master_key

CHASSIS = Path(chassis.__file__).parent / "migrations"
OPERATIONS = Path(operations.__file__).parent / "migrations"
KEYSTORE = Path(keystore.__file__).parent / "migrations"
KEYS = "keystore"

SIDE_BY_SIDE = 3
"""Databases that are migrated at once: most of it is waiting for the server."""

VERSION_MIN = 17
"""Of PostgreSQL: the first that ends a transaction which takes too long (``transaction_timeout``)."""

ENCODING = "UTF8"
"""Of each database: any other cannot hold every letter, or does not know which it holds."""

APPEND_ONLY = ("events", "commands", "reservations", "ledger", "master")
"""Tables of record: the run-time role may read and insert, nothing else."""


class Unusable(Exception):
    """A server or a database is such that no service can work on it."""


def see_usable(address: str, databases: Collection[str] = ()) -> None:
    """See that services can work on a server, and on the databases that are there: else on the address's own.

    Raises Unusable.
    """
    with psycopg.connect(address, client_encoding=ENCODING) as connection:
        version = connection.info.server_version
        if version < VERSION_MIN * 10_000:
            found = f"{version // 10_000}.{version % 10_000}"
            raise Unusable(f"expected PostgreSQL {VERSION_MIN} or later, found {found}")
        names = list(databases) or [connection.info.dbname]
        if other := connection.execute(ENCODINGS, (names, ENCODING)).fetchone():
            name, encoding = other
            raise Unusable(f"the database {name} is in {encoding}, expected {ENCODING}")


ENCODINGS = b"""
select datname, pg_encoding_to_char(encoding) from pg_database
where datname = any (%s) and encoding <> pg_char_to_encoding(%s) order by datname
"""
"""Databases that are in another encoding."""


def migrate(settings: Settings, services: dict[str, list[Path]]) -> dict[str, str]:
    """Make every database that is missing, bring its tables up to date, and write down its address.

    ``services`` gives each service's own folders of migrations. Only this knows the administrator's
    address; the services connect with roles of their own. Raises NotMigrated where none is set, and, before
    anything is changed, Unusable, and OtherMasterKey where another home's key wraps the keys that are there.
    """
    if settings.postgres_url is None:
        raise NotMigrated("set CARETRAIL_POSTGRES_URL to an administrator's address")
    admin = settings.postgres_url.get_secret_value()
    keys = make_conninfo(admin, dbname=f"{settings.database_prefix}_{KEYS}")
    see_usable(admin, [f"{settings.database_prefix}_{name}" for name in (*services, KEYS)])
    with psycopg.connect(admin) as connection:
        made = _exists(connection, EXISTS, f"{settings.database_prefix}_{KEYS}")
    if made:
        see_master(keys, settings.secrets)
    master_key(settings.secrets)  # made once, before several ask for it

    def one(name: str, folders: list[Path]) -> str:
        role = f"{settings.database_prefix}_{name}"
        address = _database(admin, settings, name)
        _tables(make_conninfo(admin, dbname=role), folders)
        _grant(admin, role, role)
        return address

    wanted = {**{name: _folders(own) for name, own in services.items()}, KEYS: [KEYSTORE]}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        addresses = dict(zip(wanted, pool.map(one, wanted, wanted.values()), strict=True))
    keep_master(keys, settings.secrets)
    _write(settings.secrets / "databases.json", addresses)
    return addresses


def bring_up_to_date(admin: str, database: str, role: str, own: list[Path]) -> None:
    """Bring the tables of one service's database, under whatever name, up to date, and let its role in.

    ``own`` gives the service's own folders of migrations.
    """
    _tables(make_conninfo(admin, dbname=database), _folders(own))
    _grant(admin, database, role)


def _folders(own: list[Path]) -> list[Path]:
    return [CHASSIS, OPERATIONS, *own]


def _database(admin: str, settings: Settings, name: str) -> str:
    """Make role and database; the address with which the role connects. Raises Unusable."""
    role = f"{settings.database_prefix}_{name}"
    password = hmac.new(master_key(settings.secrets), role.encode(), hashlib.sha256).hexdigest()
    with psycopg.connect(admin, autocommit=True) as connection:
        if not _exists(connection, "select from pg_roles where rolname = %s", role):
            connection.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), password))
        if not _exists(connection, EXISTS, role):
            try:
                connection.execute(MAKE.format(sql.Identifier(role)))
            except psycopg.errors.InvalidParameterValue as error:  # the server's locale is of another one
                why = error.diag.message_primary
                raise Unusable(f"{why}: make the database {role} by hand, with locale 'C' or such") from None
    return make_conninfo(admin, user=role, password=password, dbname=role)


EXISTS = "select from pg_database where datname = %s"
MAKE = sql.SQL(f"create database {{}} encoding '{ENCODING}' template template0")
"""Not from the template that a server has for others: that is in the server's own encoding."""


def _exists(connection: psycopg.Connection, query: str, name: str) -> bool:
    return connection.execute(query.encode(), (name,)).fetchone() is not None


def _tables(url: str, folders: list[Path]) -> None:
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    backend = get_backend(_yoyo_address(parts))
    migrations = read_migrations(*(str(folder) for folder in folders if folder.is_dir()))
    with backend.lock():
        backend.apply_migrations(backend.to_apply(migrations))
    backend.connection.close()


def _yoyo_address(parts: dict[str, str]) -> str:
    user, password = quote(parts.get("user", ""), safe=""), quote(parts.get("password", ""), safe="")
    host, port = parts.get("host", ""), parts.get("port", "")
    socket = f"?host={quote(host, safe='')}" if host.startswith("/") else ""
    place = "" if socket else host + (f":{port}" if port else "")
    return f"postgresql+psycopg://{user}:{password}@{place}/{parts['dbname']}{socket}"


def _grant(admin: str, database: str, user: str) -> None:
    role, name = sql.Identifier(user), sql.Identifier(database)
    with psycopg.connect(make_conninfo(admin, dbname=database), autocommit=True) as connection:
        connection.execute(sql.SQL("revoke all on database {} from public").format(name))
        connection.execute(sql.SQL("grant connect on database {} to {}").format(name, role))
        connection.execute(sql.SQL("grant usage, create on schema public to {}").format(role))
        connection.execute(
            sql.SQL("grant select, insert, update, delete on all tables in schema public to {}").format(role)
        )
        connection.execute(sql.SQL("grant usage on all sequences in schema public to {}").format(role))
        for schema in ("shadow", "proof"):
            if _exists(connection, "select from pg_namespace where nspname = %s", schema):
                used = sql.SQL("grant usage, create on schema {} to {}").format(sql.Identifier(schema), role)
                connection.execute(used)
        for table in APPEND_ONLY:
            if not _exists(connection, "select from pg_tables where tablename = %s", table):
                continue
            revoke = sql.SQL("revoke update, delete on {} from {}").format(sql.Identifier(table), role)
            connection.execute(revoke)


def _write(path: Path, addresses: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(addresses, file, indent=1)
    temporary.replace(path)
