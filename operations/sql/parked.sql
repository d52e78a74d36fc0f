-- The first parked record of each handler and key, oldest key first, and how many wait behind it.
select p.id, p.handler, p.key, p.source, p.position, p.event_id, p.headers, p.error, p.attempts, p.parked_at,
    h.records - 1 as waiting
from (
    select min(id) as id, count(*) as records from parked group by handler, key order by 1 limit %s
) as h join parked p using (id)
order by p.id
