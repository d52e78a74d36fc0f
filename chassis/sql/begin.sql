-- Positions that a reader has not stored before; fenced where another process stored one,
-- and who was taken for dead.
with n as (
    select * from unnest(%s::text[], %s::smallint[], %s::text[], %s::int[], %s::bigint[], %s::bigint[])
        as n (topic, partition, source, epoch, position, kafka_offset)
), begun as (
    insert into positions (topic, partition, source, epoch, position, kafka_offset)
    select * from n
    on conflict do nothing
    returning topic
)
select fence((select count(*) from begun), (select count(*) from n), %s)
