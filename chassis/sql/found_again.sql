-- Records applied last that came again at another offset, unless somebody moved on meanwhile.
update positions p set kafka_offset = n.kafka_offset
from unnest(
    %s::text[], %s::smallint[], %s::text[], %s::bigint[], %s::int[], %s::bigint[]
) as n (topic, partition, source, kafka_offset, epoch, position)
where p.topic = n.topic and p.partition = n.partition and p.source = n.source
  and p.epoch = n.epoch and p.position = n.position
returning p.topic
