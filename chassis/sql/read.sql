-- Events after a position in order, each with the position before it in its partition.
select e.*,
    coalesce(
        lag(position) over (partition by partition, epoch order by position),
        (
            select max(p.position) from events p
            where p.partition = e.partition and p.position < e.position and p.epoch = e.epoch
        )
    ) as prev
from (select * from events where position > %s order by position limit %s) e
order by position
