-- Aggregates as they were committed, on the store that they were committed to.
insert into snapshots (stream, form, stream_version, state)
select * from unnest(%s::text[], %s::text[], %s::integer[], %b::bytea[])
on conflict (stream) do update
set form = excluded.form, stream_version = excluded.stream_version, state = excluded.state, taken_at = now()
where snapshots.form <> excluded.form or snapshots.stream_version < excluded.stream_version
returning stream, stand(%s)
