-- A projection is folded with this version of it.
insert into projections (name, version) values (%s, %s)
on conflict (name) do update set version = excluded.version, mixed_at = null
