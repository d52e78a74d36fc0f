-- Where the store was when its service last started, and the times that it went on from an earlier one.

create table place (
    single boolean primary key default true check (single),
    server text not null,
    database bigint not null,
    timeline integer not null,
    seen jsonb
);
comment on column place.seen is
    'What is known to have been recorded, the last position by partition, where the store was restored knowingly';

create table restores (
    epoch integer not null,
    head bigint not null,
    imported bigint not null,
    restored_at timestamptz not null default clock_timestamp(),
    told boolean not null default false,
    primary key (head, restored_at)
);
