-- The epoch of a source, which begins with its first start.
insert into origin (source) values (%s) on conflict (source) do update set source = excluded.source
returning epoch
