-- What waits in a service's database: for its relay, its own projections, its timers and its staff.
with mark as (select coalesce((select position from relay_mark where topic = %s), 0) as position),
applied as (select coalesce(max(position), 0) as position from positions where topic = 'store')
select
    (select coalesce(max(position), 0) from events) as head,
    mark.position as relayed,
    applied.position as applied,
    (select recorded_at from events where position > mark.position order by position limit 1) as unsent_since,
    (select recorded_at from events where position > applied.position order by position limit 1) as unapplied_since,
    (select count(*) from timers where due_at <= %s) as timers_due,
    (
        select coalesce(jsonb_agg(jsonb_build_array(handler, keys, records)), '[]')
        from (
            select handler, count(*) as keys, sum(records)::bigint as records
            from (select handler, count(*) as records from parked group by handler, key) as key
            group by handler
        ) as each
    ) as parked,
    (
        select coalesce(jsonb_agg(jsonb_build_array(
            topic, partition, greatest(0, extract(epoch from clock_timestamp() - paused_at))
        )), '[]')
        from readings where paused_at is not null
    ) as paused
from mark, applied
