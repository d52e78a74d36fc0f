-- Events after a topic's mark, which comes first, as records are made of them, by the function of 0015_kept_plans.sql.
select * from read_outgoing(%s::bigint, %s::text, %s::integer, %s::integer)
