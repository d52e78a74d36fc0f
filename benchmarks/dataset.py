"""Data sets, made inside the server in the tables of the real migrations: no client sends their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import md5
from importlib.resources import files
from uuid import UUID

import psycopg
from caretrail_contracts.envelope import partition_of
from psycopg.sql import SQL, Identifier

from benchmarks.patients import patient
from benchmarks.workload import CIPHERTEXT, CLINICIAN, NONCE

STRETCH = 250_000
"""Rows of one statement."""

BLOCK = 1_000
"""Events come in blocks of this many, so that every stream has its ten."""

COHORT = 500
"""Patients who are in care at the same time, at most."""

BARE_FROM = 1_000_000
"""From so many rows on, indexes are made afterwards."""

Told = Callable[[int], None]


def chart(number: int) -> UUID:
    """The chart of a number; a data set of n events has n / 10 of them, from 0."""
    return UUID(md5(f"chart-{number}".encode(), usedforsecurity=False).hexdigest())


def events(admin: psycopg.Connection, count: int, patients: int, told: Told = lambda done: None) -> int:
    """Fill an empty log with events and the memory of their commands; how many there are."""
    with _bare(admin, ("events", "commands"), count):
        count = _stretches(admin, ("events", "commands"), count, patients, told)
    admin.execute(SETTLED.format("events, commands").encode())
    return count


def ledger(admin: psycopg.Connection, count: int, patients: int, told: Told = lambda done: None) -> int:
    """Fill an empty ledger with the same events; how many there are."""
    with _bare(admin, ("ledger",), count):
        count = _stretches(admin, ("ledger",), count, patients, told)
    admin.execute(SETTLED.format("ledger").encode())
    return count


def _stretches(
    admin: psycopg.Connection, tables: tuple[str, ...], count: int, patients: int, told: Told
) -> int:
    count = -(-count // BLOCK) * BLOCK
    _shape(admin, patients, count)
    for first in range(1, count + 1, STRETCH):
        last = min(first + STRETCH - 1, count)
        for table in tables:
            admin.execute(_query(table), (first, last))
        told(last)
    return count


def _shape(admin: psycopg.Connection, patients: int, count: int) -> None:
    """What the notes have in common, and who they are about: partitions are computed as the store does."""
    cohort = min(patients, COHORT)
    admin.execute(SHAPE)
    values = (CLINICIAN, NONCE, CIPHERTEXT, patients, cohort, count * cohort // patients)
    admin.execute("insert into shape values (%s, %s, %s, %s, %s, %s)", values)
    admin.execute("create temp table patient (number bigint primary key, id uuid, partition smallint)")
    with admin.cursor().copy("copy patient from stdin") as copy:
        for number in range(patients):
            id = patient(number)
            copy.write_row((number, id, partition_of(str(id))))
    admin.execute("analyze patient")
    admin.execute(_query("notes"))


@contextmanager
def _bare(admin: psycopg.Connection, tables: tuple[str, ...], count: int) -> Iterator[None]:
    """Without indexes while many rows are written; afterwards with those that the migrations made."""
    found = admin.execute(INDEXES, (list(tables),)).fetchall() if count >= BARE_FROM else []
    for table, name, _, constraint in found:
        drop = "alter table {0} drop constraint {1}" if constraint else "drop index {1}"
        admin.execute(SQL(drop).format(Identifier(table), Identifier(name)))
    yield
    admin.execute("set maintenance_work_mem = '512MB'")
    for table, name, definition, constraint in found:
        make = "alter table {0} add constraint {1} {2}" if constraint else "{2}"
        admin.execute(SQL(make).format(Identifier(table), Identifier(name), SQL(constraint or definition)))


SHAPE = """
create temp table shape (clinician text, nonce text, ct text, patients bigint, cohort bigint, stay bigint)
"""
"""``stay`` is how many events a cohort has."""

SETTLED = "vacuum (freeze, analyze) {}"
"""At once: else the server does it later, in the midst of what is measured."""

INDEXES = """
select i.tablename, i.indexname, i.indexdef, pg_get_constraintdef(c.oid) as constraintdef
from pg_indexes i
left join pg_constraint c on c.conname = i.indexname and c.conrelid = i.tablename::regclass
where i.schemaname = 'public' and i.tablename = any(%s)
"""


def _query(name: str) -> bytes:
    return files("benchmarks.sql").joinpath(f"{name}.sql").read_bytes()
