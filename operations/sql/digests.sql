-- Events after a position, up to another, to be digested. A time that Python's calendar lacks comes as null,
-- so that one such row does not keep the others from being read.
select position, epoch, id, stream, stream_version, type, version,
    case when occurred_at between '0001-01-02' and '9999-12-30' then occurred_at end as occurred_at,
    case when recorded_at between '0001-01-02' and '9999-12-30' then recorded_at end as recorded_at,
    organisation, program, site, patient, actor_id, actor_role, purpose, correlation_id, causation_id, command_id,
    sensitivity, partition, body, null::bigint as prev
from events where position > %s and position <= %s order by position limit %s
