-- Positions that a reader has not stored before; those that are there count as moved by another.
insert into positions (topic, partition, source, epoch, position, kafka_offset)
select * from unnest(%s::text[], %s::smallint[], %s::text[], %s::int[], %s::bigint[], %s::bigint[])
on conflict do nothing
