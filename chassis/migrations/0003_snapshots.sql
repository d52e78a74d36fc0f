-- Aggregates as they were at a version of their streams: a guess that saves reading; may be emptied.

create table snapshots (
    stream text primary key,
    form text not null,
    stream_version integer not null check (stream_version >= 1),
    state bytea not null,
    taken_at timestamptz not null default now()
);
