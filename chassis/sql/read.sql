-- Events after a position in order, each with the position before it in its partition; the first of an epoch has
-- none. Epochs only rise, so that the event before tells whether there is another of its own.
select e.*,
    coalesce(
        lag(position) over (partition by partition, epoch order by position),
        (
            select case when p.epoch = e.epoch then p.position end from events p
            where p.partition = e.partition and p.position < e.position
            order by p.position desc limit 1
        )
    ) as prev
from (select * from events where position > %s order by position limit %s) e
order by position
