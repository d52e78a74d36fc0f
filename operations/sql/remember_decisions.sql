-- What people decided above a position, as the log has it: records that are never applied, which no longer wait
-- nor are an effect's work; and on which partitions the last word was a pause. The epoch of a discarded record
-- is on record where that is parked here; else it is 0, and its id and position name it.
with told as materialized (
    select e.position, e.type, e.recorded_at, e.actor_id, e.actor_role, convert_from(e.body, 'UTF8')::jsonb as body
    from events e
    where e.position > %(head)s and e.type in (
        'caretrail.system.RecordDiscarded', 'caretrail.system.ReadingPaused', 'caretrail.system.ReadingResumed'
    )
),
dropped as (
    select body ->> 'handler' as handler, body ->> 'source' as source, (body ->> 'position')::bigint as position,
        (body ->> 'event_id')::uuid as event_id, recorded_at
    from told where type = 'caretrail.system.RecordDiscarded'
),
freed as (
    delete from parked p using dropped d
    where (p.handler, p.source, p.position, p.event_id) = (d.handler, d.source, d.position, d.event_id)
    returning p.handler, p.source, p.position, p.epoch
),
discarding as (
    insert into discarded (handler, source, epoch, position, event_id, discarded_at)
    select d.handler, d.source, coalesce(f.epoch, 0), d.position, d.event_id, d.recorded_at
    from dropped d left join freed f using (handler, source, position)
    on conflict do nothing
),
doing as (
    insert into effects_done (effect, event_id)
    select handler, event_id from dropped where handler = any (%(effects)s)
    on conflict do nothing
)
insert into readings as r (topic, partition, paused_at, actor_id, actor_role, reason)
select distinct on (body ->> 'topic', number) body ->> 'topic', number::smallint,
    case when pauses then recorded_at end, case when pauses then actor_id end,
    case when pauses then actor_role end, case when pauses then body -> 'reason' end
from told
cross join lateral (select type = 'caretrail.system.ReadingPaused' as pauses) as last_word
cross join lateral jsonb_array_elements_text(body -> 'partitions') as number
where type <> 'caretrail.system.RecordDiscarded'
order by body ->> 'topic', number, position desc
on conflict (topic, partition) do update
set paused_at = excluded.paused_at, actor_id = excluded.actor_id, actor_role = excluded.actor_role,
    reason = excluded.reason
