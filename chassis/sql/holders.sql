-- How many sessions hold each of these session locks; none where it is free.
with held as materialized (
    select (classid::bigint << 32) | objid::bigint as number from pg_locks
    where locktype = 'advisory' and granted and objsubid = 1
        and database = (select oid from pg_database where datname = current_database())
)
select number, count(held.number)::int as holders
from unnest(%s::bigint[]) as wanted (number) left join held using (number)
group by number
