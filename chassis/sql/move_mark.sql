-- The relay sent up to here; it never goes back. Not waited for until it is on the disk: a mark that a crash of
-- the database takes back makes the relay repeat, which readers drop.
insert into relay_mark as m (topic, position)
select topic, position
from (select set_config('synchronous_commit', 'off', true), %s::text as topic, %s::bigint as position) as sent
on conflict (topic) do update set position = greatest(m.position, excluded.position)
returning position
