-- What relay and readers ask for each batch, as functions: a plan made once, by index, in place of one each time.

-- Events after a topic's mark, which comes first, each with what its record is made of: from the position on as
-- headers_of takes it, in the database's own text. Nothing of a store that is another by now.
create function read_outgoing(after bigint, topic_name text, epoch_now integer, most integer)
returns table (
    mark bigint, at_ms bigint, body bytea, "position" bigint, partition smallint, key text, type text, version smallint,
    epoch integer, actor_id text, actor_role text, purpose text, organisation text, program text, site text,
    sensitivity text, id text, occurred text, stream text, stream_version integer, recorded text, correlation_id text,
    command_id text, prev bigint, patient text, causation_id text
)
language plpgsql stable
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    select
        sent.mark,
        floor(extract(epoch from e.recorded_at) * 1000)::bigint,
        e.body,
        e.position, e.partition, coalesce(e.patient::text, e.stream), e.type, e.version, e.epoch,
        e.actor_id, e.actor_role, e.purpose, e.organisation, e.program, coalesce(e.site, ''), e.sensitivity,
        e.id::text,
        replace(to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000', ''),
        e.stream, e.stream_version,
        replace(to_char(e.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000', ''),
        e.correlation_id::text, e.command_id::text, before.position, e.patient::text, e.causation_id::text
    from (
        select coalesce(after, (select position from relay_mark where topic = topic_name), 0) as mark, stand(epoch_now)
    ) sent
    cross join lateral (select * from events where position > sent.mark order by position limit most) e
    -- Of positions alone: sorting the events themselves took more than half of the statement.
    join lateral (
        select
            n.position as of,
            coalesce(
                lag(n.position) over (partition by n.partition, n.epoch order by n.position),
                (
                    -- Epochs only rise: the event before tells whether there is another of its own.
                    select case when p.epoch = n.epoch then p.position end from events p
                    where p.partition = n.partition and p.position < n.position
                    order by p.position desc limit 1
                )
            ) as position
        from (
            select position, partition, epoch from events where position > sent.mark order by position limit most
        ) n
    ) before on before.of = e.position
    order by e.position;
end
$$;

-- Events after a position in order, each with the position before it in its partition; the first of an epoch has
-- none. Epochs only rise, so that the event before tells whether there is another of its own.
create function read_events(after bigint, most integer)
returns table (
    "position" bigint, epoch integer, id uuid, stream text, stream_version integer, type text, version smallint,
    occurred_at timestamptz, recorded_at timestamptz, organisation text, program text, site text, patient uuid,
    actor_id text, actor_role text, purpose text, correlation_id uuid, causation_id uuid, command_id uuid,
    sensitivity text, partition smallint, body bytea, prev bigint
)
language plpgsql stable
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    select e.position, e.epoch, e.id, e.stream, e.stream_version, e.type, e.version, e.occurred_at, e.recorded_at,
        e.organisation, e.program, e.site, e.patient, e.actor_id, e.actor_role, e.purpose, e.correlation_id,
        e.causation_id, e.command_id, e.sensitivity, e.partition, e.body,
        coalesce(
            lag(position) over (partition by partition, epoch order by position),
            (
                select case when p.epoch = e.epoch then p.position end from events p
                where p.partition = e.partition and p.position < e.position
                order by p.position desc limit 1
            )
        )
    from (select * from events where position > after order by position limit most) e
    order by position;
end
$$;

-- Positions of a reader, moved from where it knows them to be and no other; fenced where one is not, and who was
-- taken for dead.
create function move_positions(
    topics text[], partitions smallint[], sources text[], epochs integer[], places bigint[], offsets bigint[],
    known_epochs integer[], known_places bigint[], me uuid
)
returns void
language plpgsql volatile
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    moved bigint;
begin
    update positions p
    set epoch = n.epoch, position = n.position, kafka_offset = n.kafka_offset, advanced_at = clock_timestamp()
    from unnest(topics, partitions, sources, epochs, places, offsets, known_epochs, known_places)
        as n (topic, partition, source, epoch, position, kafka_offset, known_epoch, known)
    where p.topic = n.topic and p.partition = n.partition and p.source = n.source
        and p.epoch = n.known_epoch and p.position = n.known;
    get diagnostics moved = row_count;
    perform fence(moved, cardinality(topics), me);
end
$$;
