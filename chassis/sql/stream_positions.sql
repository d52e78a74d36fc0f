-- Where the events of a stream stand in the log, up to a position.
select position from events where stream = %s and position <= coalesce(%s::bigint, position)
order by stream_version
