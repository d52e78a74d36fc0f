-- The head of the log in each partition, and the farthest position that relay, readers or commands passed.
select
    (
        select coalesce(jsonb_object_agg(coalesce(partition, -1), head), '{}')
        from (select partition, max(position) as head from events group by partition) as each
    ) as heads,
    greatest(
        0,
        (select max(position) from relay_mark),
        (select max(position) from commands),
        (select max(position) from positions where topic = 'store')
    ) as passed
