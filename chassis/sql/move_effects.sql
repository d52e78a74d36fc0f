-- Every effect of these records, the last of a batch in their partitions, is done: marks move to those that the
-- store holds, and never back. Not waited for until it is on the disk: what a crash of the database takes back is
-- looked at again. Only on the store on which the effects were recorded.
update effect_marks m set epoch = e.epoch, position = e.position, kafka_offset = n.kafka_offset
from (select set_config('synchronous_commit', 'off', true)) as once,
    unnest(%s::smallint[], %s::uuid[], %s::text[], %s::integer[], %s::bigint[])
        as n (partition, id, stream, stream_version, kafka_offset)
    join events e on (e.stream, e.stream_version, e.id) = (n.stream, n.stream_version, n.id)
        and e.partition = n.partition
where m.partition = e.partition and (m.epoch, m.position) <= (e.epoch, e.position)
returning m.partition, stand(%s)
