-- Parked records that a person discarded: no handler gets them again, not in a rebuild either.

create table discarded (
    handler text not null,
    source text not null,
    position bigint not null,
    event_id uuid,
    discarded_at timestamptz not null default clock_timestamp(),
    primary key (handler, source, position)
);
