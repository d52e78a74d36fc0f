-- A process begins to fold, as in 0008, into the tables that it looked at when it started: seen tells which versions
-- served then, as those who fold are known by; null where nobody looked. Replaced since, they may be of a shape that it
-- cannot write. What serves is replaced under the lock, so it is as seen until others see that this one is there.
create function join_folding(me uuid, versions text[], seen text[]) returns void language plpgsql volatile as $$
declare
    other text;
begin
    lock table positions in row exclusive mode;
    select p.name || ':' || p.version into other
    from projections p
    where p.name = any (select split_part(folded, ':', 1) from unnest(versions) folded)
        and p.name || ':' || p.version <> all (versions || seen);
    if found and seen is not null then
        raise exception 'the read model % took the place of another while this process started: start it again', other;
    end if;
    perform join_folding(me, versions);
end
$$;

-- As in 0008, and one that was seen in the future, by the clock of a server whose place this one took, is not there: who
-- lives says so anew, every few seconds.
create or replace function strangers(projection text, version integer) returns table (member uuid, present boolean)
language sql volatile as $$
    select m.member, max(m.seen_at) between clock_timestamp() - interval '20 seconds'
        and clock_timestamp() + interval '20 seconds'
    from members m
    where left(m.role, 5) = 'fold:'
    group by m.member
    having not bool_or(m.role = 'fold:' || projection || ':' || version)
$$;
