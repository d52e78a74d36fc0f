-- The memory of the commands that wrote a stretch of the log.
insert into commands (command_id, digest, position, streams, refusal)
select command_id, null, position, jsonb_build_object('chart-' || chart, stream_version), null
from pg_temp.notes(%s, %s)
