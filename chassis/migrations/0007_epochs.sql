-- A process writes while the store is the one that it began on. Under the log's lock it is seen that the store stands
-- where it was last compared with its topic, and that no later epoch has begun: the events of a database that took
-- another's place may be others than those that the process knows. The error's class, 57, is for every release that
-- of a database that is away, so that nothing is given up that waits; the code in it is one that PostgreSQL has no
-- use for.

create view here as
select (select system_identifier from pg_control_system())::text as server,
    (select oid from pg_database where datname = current_database())::bigint as database,
    -- That of the control file is the one before until the first checkpoint after a promotion.
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer as timeline;
comment on view here is
    'Which server, database and timeline this is: a store that was restored or promoted stands elsewhere than before';

create function stands(epoch_now integer) returns boolean language plpgsql volatile as $$
begin
    -- A table of operations, which compare: empty where they did not yet.
    if to_regclass('place') is not null then
        if exists (
            select from place p, here h
            where (p.server, p.database, p.timeline) is distinct from (h.server, h.database, h.timeline)
        ) then
            return false;
        end if;
    end if;
    return not exists (select from origin where epoch > epoch_now);
end
$$;

create function stand(epoch_now integer) returns void language plpgsql volatile as $$
begin
    if not stands(epoch_now) then
        raise exception 'the store is not the one that this process began on' using errcode = '57ZF2';
    end if;
end
$$;

-- As in 0002, and it stands.
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
            select jsonb_object_agg(c.ord, jsonb_build_object(
                'position', k.position, 'streams', k.streams, 'refusal', k.refusal,
                -- What was taken in from the topic has no digest: there the id tells that a command is the same.
                'same_digest', k.digest is null or k.digest = c.digest
            ))
            from unnest(command_ids, digests) with ordinality as c (id, digest, ord)
            join commands k on k.command_id = c.id
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
