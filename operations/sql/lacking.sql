-- From which position on a topic must be published again where its partitions reach no further than these,
-- and how many events that is; no row where it lacks nothing that was sent.
with mark as (
    select position from relay_mark where topic = %s
),
lowest as (
    select min(r.reached) as after
    from unnest(%s::smallint[], %s::bigint[]) as r (partition, reached) cross join mark
    where exists (
        select from events e
        where e.partition = r.partition and e.position > r.reached and e.position <= mark.position
    )
)
select after, (select count(*) from events where position > after and position <= mark.position) as events
from lowest cross join mark where after is not null
