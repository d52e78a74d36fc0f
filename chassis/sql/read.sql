-- Events after a position, each with the position before it in its partition, by the function of 0015_kept_plans.sql.
select * from read_events(%s::bigint, %s::integer)
