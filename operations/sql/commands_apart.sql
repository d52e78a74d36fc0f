-- Where the memory of commands does not fit the events above a position, up to another: each event of such a
-- command. An answer that refused is compared with the bytes that rule, message and place have in the body of the
-- refusal.
with page as materialized (
    select position, coalesce(command_id, '00000000-0000-0000-0000-000000000000') as command_id, id, stream,
        stream_version, type, body
    from events where position > %s and position <= %s
),
done as materialized (
    select command_id, jsonb_object_agg(coalesce(stream, ''), version) as streams, max(position) as position,
        (array_agg(refused) filter (where refused is not null))[1] as refused
    from (
        select command_id, stream, max(stream_version) as version, max(position) as position,
            (array_agg(body) filter (where type = 'caretrail.system.CommandRefused'))[1] as refused
        from page group by command_id, stream
    ) as part
    group by command_id
),
apart as (
    select d.command_id, case
        when c.position is null then 'its command is not remembered'
        else 'its command is remembered with another answer'
    end as kind
    from done d
    -- So that each is looked up: joined, a memory of millions would be read for each page.
    left join lateral (select * from commands where command_id = d.command_id limit 1) c on true
    where c.position is null
        or c.streams <> d.streams
        or c.position <> d.position
        or (c.refusal is null) <> (d.refused is null)
        or c.refusal <> jsonb_build_object(
            'rule', c.refusal -> 'rule', 'message', c.refusal -> 'message', 'at', c.refusal -> 'at'
        )
        or c.refusal is not null and coalesce(position(convert_to(
            '"rule":' || (c.refusal -> 'rule')::text
            || ',"message":' || to_json(left(c.refusal ->> 'message', 400))::text
            || ',"place":' || coalesce('{"at":' || nullif(c.refusal -> 'at', 'null')::text || ',', 'null'),
            'UTF8'
        ) in d.refused), 0) = 0
)
select a.kind, p.id::text as id, coalesce(p.stream, '') as stream, coalesce(p.stream_version, 0) as stream_version
from apart a join page p using (command_id)
order by p.position
