-- Where an effect of an event stands. It is done by its row, by the command that recorded it, or since the event was
-- before the effect began; it waits where the event's key is parked for it.
select
    exists (select from effects_done where effect = %s and event_id = %s)
        or exists (select from commands where command_id = %s)
        or exists (select from events e join effect_starts s on e.position <= s.position where e.id = %s and s.effect = %s)
        as done,
    exists (select from parked where handler = %s and key = %s) as waits
