-- A stretch of a service's log, in the form in which its store writes it.
insert into events (
    position, epoch, id, stream, stream_version, type, version, occurred_at, recorded_at, organisation, program,
    site, patient, actor_id, actor_role, purpose, correlation_id, causation_id, command_id, sensitivity,
    partition, body
)
select position, 1, id, 'chart-' || chart, stream_version, 'caretrail.clinical.NoteSigned', 1, recorded_at,
    recorded_at, 'caretrail', 'iop', null, patient, 'staff-7', 'clinician', 'TREAT', command_id, null,
    command_id, 'part2', partition, body
from pg_temp.notes(%s, %s)
