-- Whether an effect of an event was done: by its mark, or by the command that recorded it.
select 1 from effects_done where effect = %s and event_id = %s
union all select 1 from commands where command_id = %s limit 1
