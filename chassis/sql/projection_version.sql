-- A projection is folded with this version of it; it is mixed where others fold that lack it.
insert into projections (name, version, mixed_at)
values (%(name)s, %(version)s, (select max(clock_timestamp()) from strangers(%(name)s, %(version)s)))
on conflict (name) do update set version = excluded.version, mixed_at = excluded.mixed_at
