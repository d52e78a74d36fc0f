-- The log of a service, the memory of its commands, and the positions of what reads and writes around it.

create table origin (
    source text primary key,
    epoch integer not null default 1 check (epoch >= 1)
);

create table events (
    position bigint primary key,
    epoch integer not null,
    id uuid not null unique,
    stream text not null,
    stream_version integer not null check (stream_version >= 1),
    type text not null,
    version smallint not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    organisation text not null,
    program text not null,
    site text,
    patient uuid,
    actor_id text not null,
    actor_role text not null,
    purpose text not null,
    correlation_id uuid not null,
    causation_id uuid,
    command_id uuid not null,
    sensitivity text not null,
    partition smallint not null,
    body bytea not null,
    unique (stream, stream_version)
);
create index events_partition on events (partition, position);

create table commands (
    command_id uuid primary key,
    digest bytea,
    position bigint not null,
    streams jsonb not null,
    refusal jsonb
);

create table reservations (
    scope text not null,
    key text not null,
    owner uuid not null,
    primary key (scope, key)
);

create table relay_mark (
    topic text primary key,
    position bigint not null
);

create table positions (
    topic text not null,
    partition smallint not null,
    source text not null,
    epoch integer not null,
    position bigint not null,
    kafka_offset bigint,
    advanced_at timestamptz not null default now(),
    primary key (topic, partition, source)
);

create table parked (
    id bigint generated always as identity primary key,
    handler text not null,
    key text not null,
    source text not null,
    position bigint not null,
    event_id uuid,
    headers jsonb not null,
    body bytea not null,
    error text not null,
    attempts integer not null default 1,
    parked_at timestamptz not null,
    unique (handler, source, position)
);
create index parked_key on parked (handler, key, id);

create table timers (
    key text primary key,
    due_at timestamptz not null,
    command text not null,
    body jsonb not null,
    event_id uuid not null,
    correlation_id uuid not null
);
create index timers_due on timers (due_at, key);

create table projections (
    name text primary key,
    version integer not null
);

create table members (
    role text not null,
    member uuid not null,
    seen_at timestamptz not null default clock_timestamp(),
    primary key (role, member)
);

create table effects_done (
    effect text not null,
    event_id uuid not null,
    primary key (effect, event_id)
);
