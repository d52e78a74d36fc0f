-- Streams with their snapshots, by the function of 0010_lookups.sql: what is read for each command.
select * from read_streams(%s::text[], %s::text[])
