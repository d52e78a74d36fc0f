-- The epoch to go on in: that of the newest event, or, where events may be lost, one that nobody has seen.
update origin set epoch = greatest(epoch, (select coalesce(max(epoch), 1) from events)) + %s where source = %s
returning epoch
