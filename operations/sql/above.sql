-- How many events stand above a position in each partition: what a reader that came so far has still to apply.
select coalesce(sum(each.events), 0)::bigint as events
from unnest(%s::bigint[]) with ordinality as mark (position, number)
cross join lateral (
    select count(*) as events from events e where e.partition = mark.number - 1 and e.position > mark.position
) as each
