-- A record that a handler could not apply, or that waits behind one; tried again, it counts.
insert into parked (handler, key, source, position, event_id, headers, body, error, parked_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (handler, source, position) do update set attempts = parked.attempts + 1
