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
from yoyo import default_migration_table, read_migrations
from yoyo.backends import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri

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

OWN_SCHEMAS = ("shadow", "proof")
"""Schemas in which the run-time role makes tables."""


class Unusable(Exception):
    """A server or a database is such that no service can work on it."""


def see_usable(address: str, databases: Collection[str] = ()) -> None:
    """See that services can work on a server, and on the databases that are there: else on the address's own.

    Raises Unusable.
    """
    with psycopg.connect(address, client_encoding=ENCODING) as connection:
        _see(connection, list(databases) or [connection.info.dbname])


def _see(connection: psycopg.Connection, databases: list[str]) -> None:
    version = connection.info.server_version
    if version < VERSION_MIN * 10_000:
        found = f"{version // 10_000}.{version % 10_000}"
        raise Unusable(f"expected PostgreSQL {VERSION_MIN} or later, found {found}")
    if other := connection.execute(ENCODINGS, (databases, ENCODING)).fetchone():
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
    wanted = {**{name: _folders(own) for name, own in services.items()}, KEYS: [KEYSTORE]}
    roles = {name: f"{settings.database_prefix}_{name}" for name in wanted}
    keys = make_conninfo(admin, dbname=roles[KEYS])
    with psycopg.connect(admin, client_encoding=ENCODING, autocommit=True) as server:
        _see(server, list(roles.values()))
        there = {name for (name,) in server.execute(THERE, (list(roles.values()),))}
        if roles[KEYS] in there:
            see_master(keys, settings.secrets)
        master = master_key(settings.secrets)
        passwords = {role: _password(master, role) for role in roles.values()}
        for role, password in passwords.items():
            _make_role(server, role, password)

    def one(name: str) -> str:
        role = roles[name]
        if role not in there:
            _make_database(admin, role)
        _bring(admin, role, role, wanted[name])
        return make_conninfo(admin, user=role, password=passwords[role], dbname=role)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        addresses = dict(zip(wanted, pool.map(one, wanted), strict=True))
    keep_master(keys, settings.secrets)
    _write(settings.secrets / "databases.json", addresses)
    return addresses


THERE = b"select datname from pg_database where datname = any (%s)"


def bring_up_to_date(admin: str, database: str, role: str, own: list[Path]) -> None:
    """Bring the tables of one service's database, under whatever name, up to date, and let its role in.

    ``own`` gives the service's own folders of migrations.
    """
    _bring(admin, database, role, _folders(own))


def _bring(admin: str, database: str, role: str, folders: list[Path]) -> None:
    address = make_conninfo(admin, dbname=database)
    with psycopg.connect(address, autocommit=True) as connection:
        _tables(connection, address, folders)
        _grant(connection, database, role)


def _folders(own: list[Path]) -> list[Path]:
    return [CHASSIS, OPERATIONS, *own]


def _password(master: bytes, role: str) -> str:
    return hmac.new(master, role.encode(), hashlib.sha256).hexdigest()


def _make_role(server: psycopg.Connection, role: str, password: str) -> None:
    if server.execute("select from pg_roles where rolname = %s", (role,)).fetchone() is None:
        server.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
    server.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), password))


def _make_database(admin: str, name: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        try:
            connection.execute(MAKE.format(sql.Identifier(name)))
        except psycopg.errors.InvalidParameterValue as error:  # the server's locale is of another one
            why = error.diag.message_primary
            raise Unusable(f"{why}: make the database {name} by hand, with locale 'C' or such") from None


MAKE = sql.SQL(f"create database {{}} encoding '{ENCODING}' template template0")
"""Not from the template that a server has for others: that is in the server's own encoding."""


def _tables(connection: psycopg.Connection, address: str, folders: list[Path]) -> None:
    """Bring tables up to date; ``connection`` is one to the database at that address."""
    migrations = read_migrations(*(str(folder) for folder in folders if folder.is_dir()))
    if {each.hash for each in migrations} <= _applied(connection):
        return  # even to look, yoyo locks the database, and makes and drops a table
    parts = {key: str(value) for key, value in conninfo_to_dict(address).items() if value is not None}
    backend = PostgresqlPsycopgBackend(parse_uri(_yoyo_address(parts)), default_migration_table)
    backend.init_database()
    with backend.lock():
        backend.apply_migrations(backend.to_apply(migrations))
    backend.connection.close()


def _applied(connection: psycopg.Connection) -> set[str]:
    """The hashes of the migrations that a database has."""
    (there,) = connection.execute("select to_regclass(%s)", (default_migration_table,)).fetchone() or (None,)
    if there is None:
        return set()
    query = sql.SQL("select migration_hash from {}").format(sql.Identifier(default_migration_table))
    return {each for (each,) in connection.execute(query)}


def _yoyo_address(parts: dict[str, str]) -> str:
    user, password = quote(parts.get("user", ""), safe=""), quote(parts.get("password", ""), safe="")
    host, port = parts.get("host", ""), parts.get("port", "")
    socket = f"?host={quote(host, safe='')}" if host.startswith("/") else ""
    place = "" if socket else host + (f":{port}" if port else "")
    return f"postgresql+psycopg://{user}:{password}@{place}/{parts['dbname']}{socket}"


def _grant(connection: psycopg.Connection, database: str, user: str) -> None:
    (schemas, tables) = connection.execute(PRESENT, (list(OWN_SCHEMAS), list(APPEND_ONLY))).fetchone() or (
        (),
        (),
    )
    role, name = sql.Identifier(user), sql.Identifier(database)
    grants = [
        sql.SQL("revoke all on database {} from public").format(name),
        sql.SQL("grant connect on database {} to {}").format(name, role),
        sql.SQL("grant usage, create on schema public to {}").format(role),
        sql.SQL("grant select, insert, update, delete on all tables in schema public to {}").format(role),
        sql.SQL("grant usage on all sequences in schema public to {}").format(role),
        *(
            sql.SQL("grant usage, create on schema {} to {}").format(sql.Identifier(each), role)
            for each in schemas
        ),
        *(
            sql.SQL("revoke update, delete on {} from {}").format(sql.Identifier(each), role)
            for each in tables
        ),
    ]
    connection.execute(sql.SQL("; ").join(grants))


PRESENT = b"""
select
    array(select nspname::text from pg_namespace where nspname = any (%s)),
    array(select tablename::text from pg_tables where tablename = any (%s))
"""
"""Of some schemas, and of some tables, those that are there."""


def _write(path: Path, addresses: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(addresses, file, indent=1)
    temporary.replace(path)
