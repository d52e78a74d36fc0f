"""Intake and audit on real servers, listening, with events; and a superuser who alters their rows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import uvicorn
from caretrail_contracts.intake import DeclineReason, ReferralDeclined
from fastapi import FastAPI
from psycopg.rows import dict_row

from chassis.command import Cause, Commit, Fact
from services.audit.app import service as audit
from services.audit.options import Options
from services.intake.app import service as intake
from tests.conftest import Run
from tests.running import Running
from tests.scenario import NOON, STAFF

INTAKE = "urn:caretrail:intake:main"
TABLES = {"events": "intake", "commands": "intake", "ledger": "audit", "positions": "audit"}
"""Tables that are altered, and whose database they are in."""


@dataclass(frozen=True, order=True)
class Named:
    """An event that a check named."""

    service: str
    stream: str
    version: int
    id: str


@dataclass
class Tampering:
    """A superuser's hand in the databases, and what checks say."""

    run: Running
    admin: str
    connections: dict[str, psycopg.Connection[dict[str, Any]]] = field(default_factory=dict)

    async def check(self) -> dict[Named, set[str]]:
        """What a check finds, by event: in which ways it differs."""
        answer = await self.run.post("audit", "/integrity-checks")
        assert answer.status_code == 201, answer.text
        found: dict[Named, set[str]] = {}
        for one in answer.json()["differences"]:
            named = Named(one["service"], one["stream"], one["version"], one["id"])
            found.setdefault(named, set()).add(one["kind"])
        assert answer.json()["verified"] == (not found)
        return found

    def sql(self, table: str, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Carry out a statement in the database of a table, as superuser."""
        name = f"{self.run.settings.database_prefix}_{TABLES[table]}"
        if name not in self.connections:
            address = psycopg.conninfo.make_conninfo(self.admin, dbname=name)
            self.connections[name] = psycopg.connect(address, autocommit=True, row_factory=dict_row)
        cursor = self.connections[name].execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []

    def keep(self) -> None:
        """Remember what the tables hold now."""
        for table in TABLES:
            self.sql(table, f"drop table if exists kept_{table}; create table kept_{table} as table {table}")

    def restore(self) -> None:
        """Undo every alteration since; what checks recorded meanwhile stays."""
        for table in ("events", "commands"):
            self.sql(table, f"delete from {table}; insert into {table} table kept_{table}")
        mine = "source <> 'urn:caretrail:audit:main'"
        for table in ("ledger", "positions"):
            self.sql(table, f"delete from {table} where {mine}")
            self.sql(table, f"insert into {table} select * from kept_{table} where {mine}")

    def columns(self, table: str) -> dict[str, str]:
        """The columns of a table with their types."""
        query = "select column_name, data_type from information_schema.columns where table_name = %s"
        return {row["column_name"]: row["data_type"] for row in self.sql(table, query, table)}

    def event(self, where: str = "true") -> Named:
        """The newest event of intake of which this is true."""
        query = f"select stream, stream_version as version, id from events where {where}"
        [row] = self.sql("events", f"{query} order by position desc limit 1")
        return Named("intake", row["stream"], row["version"], str(row["id"]))

    def alter(self, table: str, change: str, event: Named) -> None:
        """Set columns of the row of an event."""
        key = "id" if table == "events" else "event_id"
        self.sql(table, f"update {table} set {change} where {key} = '{event.id}'")


def commit(count: int, patient: UUID | None = None, site: str | None = None) -> Commit:
    """A command's events, on a stream of their own."""
    id, stream = uuid4(), f"referral-{uuid4()}"
    event = ReferralDeclined(reason=DeclineReason.OUT_OF_AREA)
    cause = Cause(command_id=id, actor=STAFF, purpose="TREAT", correlation_id=id, causation_id=uuid4())
    facts = tuple(Fact(stream, step, event, NOON, patient, site) for step in range(1, count + 1))
    return Commit(cause, NOON, facts, {stream: 0})


@asynccontextmanager
async def tampering(running: Run, admin: str) -> AsyncIterator[Tampering]:
    """Intake with some thirty events, all in the ledger; the last is of a patient and its command's only."""
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in ("intake", "audit")}
    urls = {name: f"http://127.0.0.1:{found.getsockname()[1]}" for name, found in sockets.items()}
    options = Options(service_urls=urls)
    async with running(intake, replace(audit, options=options)) as run, asyncio.TaskGroup() as group:
        servers = [served(run.apps[name], found, group) for name, found in sockets.items()]
        store, patient = run.runtime("intake").ground.store, uuid4()
        await asyncio.gather(*(store.append(commit(1 + at % 3, patient, "main")) for at in range(10)))
        await store.append(commit(0)._replace(expected={}))
        refused = await run.post("intake", f"/referrals/{uuid4()}/accept", "")
        assert refused.status_code == 404
        await asyncio.gather(*(store.append(commit(1)) for _ in range(8)))
        await store.append(commit(1, patient, "main"))
        await run.settle()
        found = Tampering(run, admin)
        found.keep()
        yield found
        for connection in found.connections.values():
            connection.close()
        for server in servers:
            server.should_exit = True


def served(app: FastAPI, listening: socket.socket, group: asyncio.TaskGroup) -> uvicorn.Server:
    """An application that runs already, listening."""
    # As asyncio does for a socket that names its protocol: an answer in two writes took 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    group.create_task(server.serve([listening]))
    return server
