-- Every effect of these records, the last of a batch in their partitions, is done: marks move to those that the
-- store holds, and never back. Not waited for until it is on the disk: what a crash of the database takes back is
-- looked at again.
insert into effect_marks as m (partition, epoch, position, kafka_offset)
select e.partition, e.epoch, e.position, n.kafka_offset
from (select set_config('synchronous_commit', 'off', true)) as once,
    unnest(%s::smallint[], %s::uuid[], %s::bigint[]) as n (partition, event_id, kafka_offset)
    join events e on e.id = n.event_id and e.partition = n.partition
on conflict (partition) do update
set epoch = excluded.epoch, position = excluded.position, kafka_offset = excluded.kafka_offset
where (m.epoch, m.position) <= (excluded.epoch, excluded.position)
returning partition
