-- The event before a position in its partition, where it is above an epoch and position.
select position from (
    select epoch, position from events where partition = %s and position < %s order by position desc limit 1
) as before
where (epoch, position) > (%s, %s)
