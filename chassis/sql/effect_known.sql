-- Where an effect of an event stands. It is done by its row, by the command that recorded it, or since the event was
-- before the effect began, or is none of the source's: its record came late from a store that was replaced. It waits
-- where the event's key is parked for it.
select
    exists (select from effects_done where effect = %s and event_id = %s)
        or exists (select from commands where command_id = %s)
        or exists (select from events e join effect_starts s on e.position <= s.position where e.id = %s and s.effect = %s)
        or (%s and not exists (select from events where id = %s))
        as done,
    exists (select from parked where handler = %s and key = %s) as waits
