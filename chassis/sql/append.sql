-- Writes the commits of one batch: those of known commands, stale streams or taken keys are left out
-- and reported. Runs after the lock was taken by a statement of its own, whose snapshot it must not share.
with command as (
    select * from unnest(
        %(command_id)s::uuid[], %(digest)s::bytea[], %(streams)s::jsonb[], %(refusal)s::jsonb[]
    ) with ordinality as c (command_id, digest, streams, refusal, ord)
),
known as (
    -- What was taken in from the topic has no digest: there the id alone tells that a command is the same.
    select c.ord, k.position, k.streams, k.refusal, k.digest is null or k.digest = c.digest as same_digest
    from command c join commands k using (command_id)
),
stale as (
    select distinct e.ord
    from unnest(%(expected_ord)s::int[], %(expected_stream)s::text[], %(expected_version)s::int[])
        as e (ord, stream, version)
    where e.version <> coalesce((select max(v.stream_version) from events v where v.stream = e.stream), 0)
),
wanted as (
    select * from unnest(
        %(wanted_ord)s::int[], %(wanted_scope)s::text[], %(wanted_key)s::text[], %(wanted_owner)s::uuid[]
    ) as w (ord, scope, key, owner)
),
taken as (
    select distinct w.ord from wanted w join reservations r using (scope, key) where r.owner <> w.owner
),
good as (
    select ord, command_id from command c
    where not exists (select from known k where k.ord = c.ord)
      and not exists (select from stale s where s.ord = c.ord)
      and not exists (select from taken t where t.ord = c.ord)
),
head as (
    select coalesce(max(position), 0) as position from events
),
placed as (
    select head.position + row_number() over (order by f.n) as position, good.command_id, f.*
    from unnest(
        %(ord)s::int[], %(id)s::uuid[], %(stream)s::text[], %(stream_version)s::int[], %(type)s::text[],
        %(version)s::smallint[], %(occurred_at)s::timestamptz[], %(recorded_at)s::timestamptz[],
        %(site)s::text[], %(patient)s::uuid[], %(actor_id)s::text[], %(actor_role)s::text[],
        %(purpose)s::text[], %(correlation_id)s::uuid[], %(causation_id)s::uuid[],
        %(partition)s::smallint[], %(body)s::bytea[]
    ) with ordinality as f (
        ord, id, stream, stream_version, type, version, occurred_at, recorded_at, site, patient, actor_id,
        actor_role, purpose, correlation_id, causation_id, partition, body, n
    )
    join good on good.ord = f.ord
    cross join head
),
written as (
    insert into events (
        position, epoch, id, stream, stream_version, type, version, occurred_at, recorded_at, organisation,
        program, site, patient, actor_id, actor_role, purpose, correlation_id, causation_id, command_id,
        sensitivity, partition, body
    )
    select position, %(epoch)s, id, stream, stream_version, type, version, occurred_at, recorded_at,
        %(organisation)s, %(program)s, site, patient, actor_id, actor_role, purpose, correlation_id,
        causation_id, command_id, %(sensitivity)s, partition, body
    from placed
),
held as (
    insert into reservations (scope, key, owner)
    select distinct w.scope, w.key, w.owner from wanted w join good using (ord)
    on conflict (scope, key) do nothing
),
answered as (
    insert into commands (command_id, digest, position, streams, refusal)
    select c.command_id, c.digest,
        coalesce((select max(p.position) from placed p where p.ord = c.ord), head.position),
        c.streams, c.refusal
    from command c join good using (ord) cross join head
    returning command_id, position
)
select c.ord,
    coalesce(a.position, k.position) as position,
    k.ord is not null as known,
    k.same_digest,
    k.streams,
    k.refusal,
    exists (select from stale s where s.ord = c.ord) as stale,
    exists (select from taken t where t.ord = c.ord) as taken
from command c
left join answered a using (command_id)
left join known k on k.ord = c.ord
order by c.ord
