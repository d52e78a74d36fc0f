-- The memory of the commands whose events stand above a position: their answers, without digests.
insert into commands (command_id, digest, position, streams, refusal)
select command_id, null, max(position), jsonb_object_agg(stream, version), (
    select jsonb_build_object('rule', b.body -> 'rule', 'message', b.body -> 'message', 'at', b.body -> 'place' -> 'at')
    from (
        select convert_from(e.body, 'UTF8')::jsonb as body from events e
        where e.command_id = part.command_id and e.type = 'caretrail.system.CommandRefused'
        and e.position > %(head)s
    ) as b
)
from (
    select command_id, stream, max(stream_version) as version, max(position) as position
    from events where position > %(head)s group by command_id, stream
) as part
group by command_id
on conflict (command_id) do nothing
