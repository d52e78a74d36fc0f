-- The epoch to go on in: that of the newest event, or, where events may be lost, one that nobody has seen.
-- Epochs only rise, so that the newest event has the highest.
update origin set epoch = greatest(epoch, (select e.epoch from events e order by e.position desc limit 1)) + %s
where source = %s
returning epoch
