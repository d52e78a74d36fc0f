"""From a commit in one service to the row in another's projection, both processes of their own."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID, uuid4

import psycopg
from caretrail_contracts.envelope import partition_of

from benchmarks.clients import PATIENTS
from benchmarks.figures import Figure
from benchmarks.lab import Lab, output
from benchmarks.patients import patient
from benchmarks.references import rows, topic
from benchmarks.trials import in_turn, percentile
from benchmarks.workload import SHOWER, TELLER
from chassis.config import Settings

RATE = 200
"""Commands a second."""

ARRIVAL_MAX_S = 30.0


async def end_to_end(lab: Lab) -> list[Figure]:
    """Each event's way, by PostgreSQL's own times of the two commits; beside a record's way through Kafka."""
    settings = await lab.prepare("delivery", "clinical", "billing", topics=True)
    url, _ = await lab.serve("teller", settings)
    await lab.serve("shower", settings)
    seconds, message = lab.sizes.delivered_s, _message()
    more: dict[str, list[float]] = {"p99_ms": [], "kafka_p99_ms": []}

    async def ours(_: int) -> float:
        begin = _newest(lab, settings)
        await output("clients", f"{url}/notes", "--rate", RATE, "--seconds", seconds)
        times = await _ways_ms(lab, settings, begin)
        more["p99_ms"].append(percentile(times, 99))
        return percentile(times, 50)

    async def reference(trial: int) -> float:
        prefix = f"way_{trial}"
        await lab.topics(prefix, ["clinical"])
        name = f"{prefix}.clinical.events"
        times = await topic.round_trips_ms(lab.kafka, name, message, RATE, seconds)
        more["kafka_p99_ms"].append(percentile(times, 99))
        return percentile(times, 50)

    shown, sent = await in_turn(lab.sizes.trials, ours, reference)
    return [Figure("end_to_end", shown, sent, more=more, about={"rate": RATE, "seconds": seconds})]


def _message() -> topic.Message:
    id = str(patient(1))
    return partition_of(id), id.encode(), rows.body(), [("ce_id", str(uuid4()).encode())], 0


def _newest(lab: Lab, settings: Settings) -> int:
    with lab.admin(settings, TELLER.name) as admin:
        return int(_one(admin, "select coalesce(max(position), 0) from events"))


async def _ways_ms(lab: Lab, settings: Settings, begin: int) -> list[float]:
    """The time from commit to commit of each event after a position, once every row is there.

    Without the clients' first ones, which come all at once: they make the patients' keys.
    """
    with lab.admin(settings, TELLER.name) as teller, lab.admin(settings, SHOWER.name) as shower:
        told: dict[UUID, datetime] = dict(teller.execute(TOLD, (begin,)).fetchall())
        async with asyncio.timeout(ARRIVAL_MAX_S):
            while True:
                shown: dict[UUID, datetime] = dict(shower.execute(SHOWN, (list(told),)).fetchall())
                if len(shown) == len(told):
                    break
                await asyncio.sleep(0.1)
    steady = list(told.items())[PATIENTS:]
    return [(shown[note] - at).total_seconds() * 1000 for note, at in steady]


def _one(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


TOLD = """
select substr(stream, 7)::uuid, pg_xact_commit_timestamp(xmin) from events
where position > %s and type = 'caretrail.clinical.NoteSigned' order by position
"""
SHOWN = "select note, pg_xact_commit_timestamp(xmin) from signed_notes where note = any(%s)"
