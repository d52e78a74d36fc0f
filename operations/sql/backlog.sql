-- How far the log is, and how far of it the relay sent; positions leave no gaps.
select
    (select coalesce(max(position), 0) from events) as head,
    coalesce((select position from relay_mark where topic = %s), 0) as mark
