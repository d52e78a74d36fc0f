-- A stretch of the audit's ledger: the same events, with their headers.
insert into ledger (
    source, epoch, position, event_id, service, stream, stream_version, type, patient, occurred_at, recorded_at,
    headers, body
)
select 'urn:caretrail:clinical:main', 1, position, id, 'clinical', 'chart-' || chart, stream_version,
    'caretrail.clinical.NoteSigned', patient, recorded_at, recorded_at,
    jsonb_build_object(
        'content-type', 'application/json', 'ce_specversion', '1.0', 'ce_id', id,
        'ce_type', 'caretrail.clinical.NoteSigned', 'ce_source', 'urn:caretrail:clinical:main',
        'ce_time', recorded_at, 'ce_eventversion', '1', 'ce_epoch', '1', 'ce_position', position::text,
        'ce_partition', partition::text, 'ce_partitionkey', patient, 'ce_stream', 'chart-' || chart,
        'ce_streamversion', stream_version::text, 'ce_recordedat', recorded_at, 'ce_patient', patient,
        'ce_actorid', 'staff-7', 'ce_actorrole', 'clinician', 'ce_purpose', 'TREAT',
        'ce_correlationid', command_id, 'ce_commandid', command_id, 'ce_sensitivity', 'part2'
    ),
    body
from pg_temp.notes(%s, %s)
