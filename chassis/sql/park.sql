-- A record that a handler could not apply, or one that waits behind such a record while it is there and was
-- never tried; tried again, it counts.
insert into parked (
    handler, key, source, epoch, position, event_id, headers, body, error, parked_at, attempts
)
select n.*, (n.error <> 'waits')::integer from (
    values (%s, %s, %s, %s::integer, %s::bigint, %s::uuid, %s::jsonb, %s::bytea, %s, %s::timestamptz)
) as n (handler, key, source, epoch, position, event_id, headers, body, error, parked_at)
where n.error <> 'waits' or exists (select from parked p where p.handler = n.handler and p.key = n.key)
on conflict (handler, source, epoch, position) do update
set attempts = parked.attempts + (excluded.error <> 'waits')::integer
returning id
