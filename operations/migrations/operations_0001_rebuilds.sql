-- Rebuilds of projections: where they fold into, which one runs or ran last, and how far it is.

create schema shadow;
create schema proof;

create table rebuilds (
    projection text primary key,
    run uuid not null,
    action text not null check (action in ('rebuild', 'verify')),
    version integer not null,
    processes smallint not null,
    phase text not null,
    total bigint not null default 0,
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    outcome jsonb
);

create table rebuild_places (
    projection text not null,
    run uuid not null,
    target text not null,
    topic text not null,
    partition smallint not null,
    source text not null,
    epoch integer not null default 0,
    position bigint not null default 0,
    kafka_offset bigint,
    passed bigint not null default 0,
    folded bigint not null default 0,
    primary key (projection, target, topic, partition, source)
);

create table rebuild_skipped (
    projection text not null,
    target text not null,
    source text not null,
    position bigint not null,
    primary key (projection, target, source, position)
);
