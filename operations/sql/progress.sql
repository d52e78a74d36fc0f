-- How far the log, its relay and its readers are, and which timers are due.
select
    (select coalesce(max(position), 0) from events) as head,
    (
        select coalesce(jsonb_object_agg(p, head), '{}')
        from (
            select p, (select max(position) from events e where e.partition = p) as head
            from generate_series(0, 11) as p
        ) as each where head is not null
    ) as heads,
    coalesce((select position from relay_mark where topic = %s), 0) as relayed,
    (select jsonb_agg(jsonb_build_array(topic, partition, source, position)) from positions) as positions,
    (select count(*) from timers where due_at <= %s) as due,
    (select min(due_at) from timers) as next_due
