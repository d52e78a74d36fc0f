-- An effect of an event is done and left no event, on the store that it began on.
insert into effects_done (effect, event_id) values (%s, %s) on conflict do nothing
returning effect, stand(%s)
