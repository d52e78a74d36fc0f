-- Where an effect of an event stands. It is done by its row, by the command that recorded it, or since the event was
-- before the effect began, or is none of the source's: its record came late from a store that was replaced. It waits
-- where the event's key is parked for it.
select
    exists (select from effects_done where effect = %s and event_id = a.id)
        or exists (select from commands where command_id = %s)
        or coalesce(e.position <= (select position from effect_starts where effect = %s), false)
        or (%s and e.position is null)
        as done,
    exists (select from parked where handler = %s and key = %s) as waits
from (select %s::uuid as id, %s as stream, %s as stream_version) as a
left join events e on (e.stream, e.stream_version, e.id) = (a.stream, a.stream_version, a.id)
