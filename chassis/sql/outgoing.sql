-- Events after a topic's mark, which comes first, each column but the first six a header of its record, as text: byte
-- for byte what to_headers makes of the same envelope, without a detour over Python's values.
select
    sent.mark,
    e.position,
    e.partition,
    coalesce(e.patient::text, e.stream) as key,
    floor(extract(epoch from e.recorded_at) * 1000)::bigint as at_ms,
    e.body,
    'application/json' as "content-type",
    '1.0' as ce_specversion,
    e.type as ce_type,
    %s::text as ce_source,
    'urn:caretrail:schema:' || substr(e.type, case when starts_with(e.type, 'caretrail.') then 11 else 1 end)
        || ':v' || e.version as ce_dataschema,
    e.version::text as ce_eventversion,
    e.epoch::text as ce_epoch,
    e.id::text as ce_id,
    replace(to_char(e.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000', '') as ce_time,
    e.position::text as ce_position,
    e.partition::text as ce_partition,
    coalesce(e.patient::text, e.stream) as ce_partitionkey,
    e.stream as ce_stream,
    e.stream_version::text as ce_streamversion,
    replace(to_char(e.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000', '')
        as ce_recordedat,
    e.organisation as ce_organisation,
    e.program as ce_program,
    e.actor_id as ce_actorid,
    e.actor_role as ce_actorrole,
    e.purpose as ce_purpose,
    e.sensitivity as ce_sensitivity,
    nullif(e.site, '') as ce_site,
    e.correlation_id::text as ce_correlationid,
    e.command_id::text as ce_commandid,
    before.position::text as ce_prev,
    e.patient::text as ce_patient,
    e.causation_id::text as ce_causationid
from (select coalesce(%s, (select position from relay_mark where topic = %s), 0) as mark) sent
cross join lateral (select * from events where position > sent.mark order by position limit %s) e
-- Of positions alone: sorting the events themselves took more than half of the statement.
join lateral (
    select
        n.position as of,
        coalesce(
            lag(n.position) over (partition by n.partition, n.epoch order by n.position),
            (
                select max(p.position) from events p
                where p.partition = n.partition and p.position < n.position and p.epoch = n.epoch
            )
        ) as position
    from (
        select position, partition, epoch from events where position > sent.mark order by position limit %s
    ) n
) before on before.of = e.position
order by e.position
