-- Positions of a reader, moved from where it knows them to be and no other; fenced where one is not,
-- and who was taken for dead.
with n as (
    select * from unnest(
        %s::text[], %s::smallint[], %s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::int[], %s::bigint[]
    ) as n (topic, partition, source, epoch, position, kafka_offset, known_epoch, known)
), moved as (
    update positions p
    set epoch = n.epoch, position = n.position, kafka_offset = n.kafka_offset, advanced_at = clock_timestamp()
    from n
    where p.topic = n.topic and p.partition = n.partition and p.source = n.source
      and p.epoch = n.known_epoch and p.position = n.known
    returning p.topic
)
select fence((select count(*) from moved), (select count(*) from n), %s)
