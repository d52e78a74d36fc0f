-- A timer; the same key again moves it.
insert into timers (key, due_at, command, body, event_id, correlation_id) values (%s, %s, %s, %s, %s, %s)
on conflict (key) do update set due_at = excluded.due_at, command = excluded.command, body = excluded.body,
    event_id = excluded.event_id, correlation_id = excluded.correlation_id
