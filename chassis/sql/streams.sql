with wanted as (
    select w.stream, w.form, s.stream_version as since, s.state
    from unnest(%s::text[], %s::text[]) as w (stream, form)
    left join snapshots s on s.stream = w.stream and s.form = w.form
)
select stream, form, since as stream_version, null as type, null as version, null as occurred_at, state as body
from wanted
where since is not null
union all
select w.stream, w.form, e.stream_version, e.type, e.version, e.occurred_at, e.body
from wanted w
cross join lateral (
    select stream_version, type, version, occurred_at, body from events
    where stream = w.stream and stream_version > coalesce(w.since, 0)
) e
order by stream, form, stream_version
