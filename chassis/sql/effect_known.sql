-- Where an effect of an event stands: done, by its row or by the command that recorded it, or none of its, since the
-- event was before the effect began; waiting, where the event's key is parked for it; null where it is to be done.
select case
    when exists (select from effects_done where effect = %s and event_id = %s)
        or exists (select from commands where command_id = %s)
        or exists (select from events e join effect_starts s on e.position <= s.position where e.id = %s and s.effect = %s)
        then 'done'
    when exists (select from parked where handler = %s and key = %s) then 'waits'
end as stands
