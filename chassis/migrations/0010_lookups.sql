-- What is looked up in a log of millions is looked up by index, however few events there were when a plan was made.

-- As in 0007, but each command that is known is looked up by its id.
create or replace function append_commits(
    command_ids uuid[], digests bytea[], outcomes jsonb[], refusals jsonb[], counts integer[],
    expected_ords integer[], expected_streams text[], expected_versions integer[],
    wanted_ords integer[], wanted_scopes text[], wanted_keys text[], wanted_owners uuid[],
    ords integer[], ids uuid[], patients uuid[], correlation_ids uuid[], causation_ids uuid[], types text[],
    stream_names text[], sites text[], actor_ids text[], actor_roles text[], purposes text[],
    versions integer[], partitions integer[], stream_versions integer[], occurred_ats timestamptz[],
    recorded_ats timestamptz[], bodies bytea[],
    epoch_now integer, organisation_name text, program_name text, sensitivity_name text,
    out head bigint, out stale integer[], out taken integer[], out known jsonb
)
language plpgsql volatile
-- A plan made while the log was short must serve when it is long: always by index, planned once.
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    unfit integer[];
begin
    perform pg_advisory_xact_lock(7161130662566718567);
    perform stand(epoch_now);
    head := coalesce((select max(e.position) from events e), 0);
    stale := array(
        select x.ord from unnest(expected_ords, expected_streams, expected_versions) as x (ord, stream, version)
        where x.version <> coalesce((select max(e.stream_version) from events e where e.stream = x.stream), 0)
    );
    taken := array(
        select w.ord
        from unnest(wanted_ords, wanted_scopes, wanted_keys, wanted_owners) as w (ord, scope, key, owner)
        where w.owner <> (select r.owner from reservations r where r.scope = w.scope and r.key = w.key)
    );
    unfit := stale || taken;
    if exists (select from commands k where k.command_id = any (command_ids)) then
        known := (
            select jsonb_object_agg(c.ord, k.answer)
            from unnest(command_ids, digests) with ordinality as c (id, digest, ord)
            cross join lateral (
                select jsonb_build_object(
                    'position', m.position, 'streams', m.streams, 'refusal', m.refusal,
                    -- What was taken in from the topic has no digest: there the id tells that a command is the same.
                    'same_digest', m.digest is null or m.digest = c.digest
                ) as answer
                from commands m where m.command_id = c.id
                -- So that each is looked up: joined, the memory would be read from end to end under the lock.
                limit 1
            ) k
        );
        unfit := unfit || array(select key::integer from jsonb_object_keys(known) as key);
    end if;

    insert into events (
        position, epoch, id, stream, stream_version, type, version, occurred_at, recorded_at, organisation,
        program, site, patient, actor_id, actor_role, purpose, correlation_id, causation_id, command_id,
        sensitivity, partition, body
    )
    select head + row_number() over (order by f.n), epoch_now, f.id, f.stream, f.stream_version, f.type,
        f.version, f.occurred_at, f.recorded_at, organisation_name, program_name, f.site, f.patient,
        f.actor_id, f.actor_role, f.purpose, f.correlation_id, f.causation_id, command_ids[f.ord],
        sensitivity_name, f.partition, f.body
    from unnest(
        ords, ids, patients, correlation_ids, causation_ids, types, stream_names, sites, actor_ids,
        actor_roles, purposes, versions, partitions, stream_versions, occurred_ats, recorded_ats, bodies
    ) with ordinality as f (
        ord, id, patient, correlation_id, causation_id, type, stream, site, actor_id,
        actor_role, purpose, version, partition, stream_version, occurred_at, recorded_at, body, n
    )
    where f.ord <> all (unfit);

    if cardinality(wanted_ords) > 0 then
        insert into reservations (scope, key, owner)
        select distinct w.scope, w.key, w.owner
        from unnest(wanted_ords, wanted_scopes, wanted_keys, wanted_owners) as w (ord, scope, key, owner)
        where w.ord <> all (unfit)
        on conflict (scope, key) do nothing;
    end if;

    insert into commands (command_id, digest, position, streams, refusal)
    select c.id, c.digest, head + sum(c.count) over (order by c.ord), c.outcome, c.refusal
    from unnest(command_ids, digests, outcomes, refusals, counts) with ordinality
        as c (id, digest, outcome, refusal, count, ord)
    where c.ord <> all (unfit);
end
$$;

-- Streams with the snapshots of their form that there are, then what came after: as a function, whose plan is made
-- once and by index.
create function read_streams(wanted_streams text[], wanted_forms text[])
returns table (
    stream text, form text, stream_version integer, type text, version smallint, occurred_at timestamptz, body bytea
)
language plpgsql stable
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    with wanted as (
        select w.stream, w.form, s.stream_version as since, s.state
        from unnest(wanted_streams, wanted_forms) as w (stream, form)
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
    order by stream, form, stream_version;
end
$$;
