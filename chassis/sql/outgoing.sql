-- Events after a topic's mark, which comes first, each with what its record is made of: from the position on as
-- headers_of takes it, in the database's own text. Nothing of a store that is another by now.
select
    sent.mark,
    floor(extract(epoch from e.recorded_at) * 1000)::bigint as at_ms,
    e.body,
    e.position, e.partition, coalesce(e.patient::text, e.stream) as key, e.type, e.version, e.epoch,
    e.actor_id, e.actor_role, e.purpose, e.organisation, e.program, coalesce(e.site, '') as site, e.sensitivity,
    e.id::text,
    replace(to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000', '') as occurred,
    e.stream, e.stream_version,
    replace(to_char(e.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000', '') as recorded,
    e.correlation_id::text, e.command_id::text, before.position as prev, e.patient::text, e.causation_id::text
from (
    select coalesce(%s, (select position from relay_mark where topic = %s), 0) as mark, stand(%s)
) sent
cross join lateral (select * from events where position > sent.mark order by position limit %s) e
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
        select position, partition, epoch from events where position > sent.mark order by position limit %s
    ) n
) before on before.of = e.position
order by e.position
