-- The relay sent up to here, from where it knows its mark to be and no other, on the store that it began on. Not
-- waited for until it is on the disk: a mark that a crash of the database takes back makes the relay repeat, which
-- readers drop.
insert into relay_mark as m (topic, position)
select topic, position
from (select set_config('synchronous_commit', 'off', true), %s::text as topic, %s::bigint as position) as sent
on conflict (topic) do update set position = excluded.position where m.position = %s
returning position, stand(%s)
