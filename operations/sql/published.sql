-- What the store holds of each partition, and how much of it the relay had sent when this was asked.
select partition, count(*) as events, max(position) as head,
    count(*) filter (where position <= m.mark) as published,
    coalesce(max(position) filter (where position <= m.mark), 0) as published_to
from events cross join (
    select coalesce((select position from relay_mark where topic = %s), 0) as mark
) as m
group by partition
order by partition
