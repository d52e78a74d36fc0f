-- Read models that processes of several releases fold at once, or that some of them lack: since when, and who.

alter table projections add column mixed_at timestamptz;
comment on column projections.mixed_at is
    'Since when a process of another version, or without it, has folded beside it: wrong until it is folded anew';

-- Processes that fold, but not this version of a read model: another one, or none. One that was not seen for 20 s is
-- taken for dead. Each has a row for every version that it folds; code of before this also looks at those.
create function strangers(projection text, version integer) returns table (member uuid, present boolean)
language sql volatile as $$
    select m.member, max(m.seen_at) > clock_timestamp() - interval '20 seconds'
    from members m
    where left(m.role, 5) = 'fold:'
    group by m.member
    having not bool_or(m.role = 'fold:' || projection || ':' || version)
$$;

create function mark_mixed() returns void language sql volatile as $$
    update projections p set mixed_at = clock_timestamp()
    where p.mixed_at is null and exists (select from strangers(p.name, p.version) s where s.present)
$$;

-- A process begins to fold. Not while a read model is replaced: it is seen by who replaces it, or sees what came of it.
create function join_folding(me uuid, versions text[]) returns void language plpgsql volatile as $$
begin
    lock table positions in row exclusive mode;
    insert into members (role, member) select 'fold:' || folded, me from unnest(array_append(versions, '')) folded
    on conflict (role, member) do update set seen_at = clock_timestamp();
    -- Killed long ago, most likely; were one only asleep, it would be refused.
    delete from members where seen_at < clock_timestamp() - interval '30 days';
    perform mark_mixed();
end
$$;
