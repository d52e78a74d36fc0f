-- The first parked record of each handler and key, oldest key first, and how many wait behind it:
-- of one handler, or of all where none is named, and of keys whose first record comes after a number.
select p.id, p.handler, p.key, p.source, p.position, p.event_id, p.headers, p.error, p.attempts, p.parked_at,
    h.records - 1 as waiting
from (
    select min(id) as id, count(*) as records from parked where %s in ('', handler)
    group by handler, key having min(id) > %s order by 1 limit %s
) as h join parked p using (id)
order by p.id
