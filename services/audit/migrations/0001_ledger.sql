-- The ledger: every event of every service, once, as the bytes that were stored. Append-only.

create table ledger (
    source text not null,
    epoch integer not null,
    position bigint not null,
    event_id uuid not null unique,
    service text not null,
    stream text not null,
    stream_version integer not null,
    type text not null,
    patient uuid,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    headers jsonb not null,
    body bytea not null,
    primary key (source, epoch, position)
);
create index ledger_patient on ledger (patient, recorded_at, source, position);
create index ledger_stream on ledger (source, stream, stream_version);
