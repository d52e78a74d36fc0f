"""The keys: what each figure is, beside what it is measured, what it must reach, what bounds it."""

from __future__ import annotations

from benchmarks.figures import Floor, Key

KEYS = {
    key.name: key
    for key in (
        Key(
            "append_1",
            "one caller appends one event of 400 B to a new stream, durable: median time",
            "ms",
            "psycopg: one row inserted in autocommit",
            Floor(2, less=True),
            "turns of the loop, and a call that checks before it inserts into four indexes",
        ),
        Key(
            "append_16",
            "16 callers in one process do the same",
            "events/s",
            "eventsourcing: Application.save, best of 1, 4, 8, 16 threads",
            Floor(8),
            "Python for each event: contract, envelope, ids, packing; callers and database take turns",
        ),
        Key(
            "append_64",
            "64 callers in one process do the same",
            "events/s",
            "eventsourcing: Application.save, best of 1, 4, 8, 16 threads",
            Floor(16),
            "Python for each event: contract, envelope, ids, packing; callers and database take turns",
        ),
        Key(
            "command_16",
            "16 callers: an existing stream decides and appends, in memory as its last command left it",
            "commands/s",
            "eventsourcing: repository.get and save with its cache, best of 1, 4, 8, 16 threads",
            Floor(6),
            "Python for each event: contract, envelope, ids, packing; callers and database take turns",
        ),
        Key(
            "command_16_loaded",
            "the same where the stream, of 10 events, is in no memory and read from the store",
            "commands/s",
            "eventsourcing: repository.get and save, best of 1, 4, 8, 16 threads",
            Floor(6),
            "ten contracts to validate and fold for each load; callers and database take turns",
        ),
        Key(
            "load_long",
            "a stream of 10,000 events is loaded, by its snapshot and the most events that may follow it",
            "ms",
            "the same stream, event by event",
            Floor(limits={"p50_ms": 5}),
            "the events after the snapshot: contract and fold of each",
        ),
        Key(
            "http_commands",
            "commands over HTTP to one process, 32 clients on kept connections",
            "commands/s",
            "the same route doing nothing",
            Floor(0.5, limits={"p99_ms": 50}),
            "the framework's and the command's Python share one core",
        ),
        Key(
            "batch_commands",
            "many commands in one request, each answered on its own line",
            "commands/s",
            "psycopg: COPY in binary into an indexed table of events",
            Floor(0.1),
            "Python for each command: line, body, sealing, decision, event; COPY takes bytes as they are",
        ),
        Key(
            "end_to_end",
            "commit in one service to row visible in another's projection, 200 commands/s: median time",
            "ms",
            "aiokafka: send to getmany, 200 records/s",
            Floor(3, less=True, limits={"p99_ms": 30}),
            "relay: read, send, acknowledge; feed: read, one transaction: each a wake-up of a busy loop",
        ),
        Key(
            "relay",
            "drain committed events to Kafka",
            "events/s",
            "aiokafka: idempotent producer, the same bytes, the best of its ways to send",
            Floor(0.7),
            "the database prints what 24 headers carry, Python makes a record of them; then Kafka",
        ),
        Key(
            "project_live",
            "Kafka to rows of a projection, exactly once",
            "events/s",
            "eventsourcing: ProjectionRunner over events of the same size",
            Floor(15),
            "24 headers are parsed and checked for each record, then contract, change and row",
        ),
        Key(
            "rebuild",
            "replay the log into a projection's tables, one process",
            "events/s",
            "eventsourcing: ProjectionRunner over events of the same size, one process",
            Floor(25),
            "each row becomes an envelope and a contract before it is folded; then the proof",
        ),
        Key(
            "rebuild_2",
            "the same with two processes",
            "events/s",
            "one process",
            Floor(1.7),
            "on two cores both processes and PostgreSQL share what one process and PostgreSQL fill",
        ),
        Key(
            "growth_append",
            "16 callers append to a log of many events",
            "events/s",
            "the same on a small log",
            Floor(0.9),
            "each event reads a page of two large indexes, and after a checkpoint logs it whole",
        ),
        Key(
            "growth_timeline",
            "the timeline of a patient in care, in a ledger of many events, a page of 200",
            "pages/s",
            "the same in a small ledger",
            Floor(0.9),
            "not taken apart yet; we suspect that a patient's rows lie on a page each, out of the cache",
        ),
        Key(
            "memory",
            "resident memory of the largest of the six services, idle",
            "MiB",
            "",
            Floor(limits={"idle_mib": 120, "rebuild_growth_mib": 20}),
            "what is imported",
        ),
    )
}
