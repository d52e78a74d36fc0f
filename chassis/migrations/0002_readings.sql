-- What people told the readers: where to pause, by whom and why (sealed), and from which offset to read on.

create table readings (
    topic text not null,
    partition smallint not null,
    paused_at timestamptz,
    actor_id text,
    actor_role text,
    reason jsonb,
    read_from bigint,
    primary key (topic, partition)
);
