-- Where the memory of commands does not fit the events: each event of such a command, else the command's own id.
-- An answer that refused is compared with the bytes that rule, message and place have in the body of the refusal.
with part as (
    select command_id, stream, max(stream_version) as version, max(position) as position
    from events group by command_id, stream
),
done as (
    select command_id, jsonb_object_agg(coalesce(stream, ''), version) as streams, max(position) as position
    from part group by command_id
),
refused as (
    select command_id, body from events where type = 'caretrail.system.CommandRefused'
),
apart as (
    select command_id, case
        when c.position is null then 'its command is not remembered'
        when d.position is null then 'a command is remembered without its events'
        else 'its command is remembered with another answer'
    end as kind
    from commands c full join done d using (command_id) left join refused r using (command_id)
    where c.position is null
        or (d.position is null and (c.streams <> '{}' or c.refusal is not null))
        or (d.position is not null and (c.streams <> d.streams or c.position <> d.position))
        or (c.refusal is null) <> (r.command_id is null)
        or c.refusal <> jsonb_build_object(
            'rule', c.refusal -> 'rule', 'message', c.refusal -> 'message', 'at', c.refusal -> 'at'
        )
        or c.refusal is not null and coalesce(position(convert_to(
            '"rule":' || (c.refusal -> 'rule')::text
            || ',"message":' || to_json(left(c.refusal ->> 'message', 400))::text
            || ',"place":' || coalesce('{"at":' || nullif(c.refusal -> 'at', 'null')::text || ',', 'null'),
            'UTF8'
        ) in r.body), 0) = 0
)
select a.kind, coalesce(e.id, a.command_id)::text as id, coalesce(e.stream, '') as stream,
    coalesce(e.stream_version, 0) as stream_version
from apart a left join events e using (command_id)
