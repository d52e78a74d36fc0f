-- The memory of the commands whose events stand above a position: their answers, without digests. The log is
-- read once, whatever stands above: it has no index by command.
insert into commands (command_id, digest, position, streams, refusal)
select command_id, null, position, streams, (
    select jsonb_build_object('rule', said -> 'rule', 'message', said -> 'message', 'at', said -> 'place' -> 'at')
    from (select convert_from(refused, 'UTF8')::jsonb as said) as told
    where refused is not null
)
from (
    select command_id, max(position) as position, jsonb_object_agg(stream, version) as streams,
        (array_agg(refused) filter (where refused is not null))[1] as refused
    from (
        select command_id, stream, max(stream_version) as version, max(position) as position,
            (array_agg(body) filter (where type = 'caretrail.system.CommandRefused'))[1] as refused
        from events where position > %(head)s group by command_id, stream
    ) as part
    group by command_id
) as whole
on conflict (command_id) do nothing
