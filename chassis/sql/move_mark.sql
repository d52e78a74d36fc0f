-- The relay sent up to here; it never goes back.
insert into relay_mark as m (topic, position) values (%s, %s)
on conflict (topic) do update set position = greatest(m.position, excluded.position)
returning position
