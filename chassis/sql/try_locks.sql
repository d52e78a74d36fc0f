-- Takes those of these locks that are free.
select name, pg_try_advisory_lock(number) as got from unnest(%s::text[], %s::bigint[]) as t (name, number)
