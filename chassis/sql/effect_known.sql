-- Whether an effect of an event was done, by its row or by the command that recorded it; or is none of its, since it
-- was before the effect began.
select 1 from effects_done where effect = %s and event_id = %s
union all select 1 from commands where command_id = %s
union all select 1 from events e join effect_starts s on e.position <= s.position where e.id = %s and s.effect = %s
limit 1
