-- Own events after a position, up to another, of the types and in the partitions given.
select position, id, type from events
where position > %s and position <= %s and type = any(%s) and partition = any(%s) order by position limit %s
