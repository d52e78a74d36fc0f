-- The relay sent up to here, from where it knows its mark to be and no other.
insert into relay_mark as m (topic, position) values (%s, %s)
on conflict (topic) do update set position = excluded.position where m.position = %s
returning position
