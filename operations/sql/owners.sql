-- Which process of the service holds each of these session locks: its id and machine, as its connection says.
select n.number, split_part(a.application_name, ':', 3) as process
from unnest(%s::bigint[]) as n (number)
join pg_locks l on l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and (l.classid::bigint << 32) | l.objid::bigint = n.number
    and l.database = (select oid from pg_database where datname = current_database())
join pg_stat_activity a on a.pid = l.pid
