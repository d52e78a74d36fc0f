-- As in 0007, but where the store stands is looked up once in a session: one that writes is on a primary, whose
-- server, database and timeline never change under it, and one opened on a standby sees an error until that is promoted.
create or replace function stands(epoch_now integer) returns boolean language plpgsql volatile as $$
declare
    stood text := current_setting('caretrail.stands', true);
begin
    if exists (select from origin where epoch > epoch_now) then
        return false;
    end if;
    -- A table of operations, which compare: empty where they did not yet.
    if to_regclass('place') is null then
        return true;
    end if;
    if coalesce(stood, '') = '' then
        stood := set_config('caretrail.stands', (select h::text from here h), false);
    end if;
    return not exists (
        select from place p where row (p.server, p.database, p.timeline)::text <> stood
    );
end
$$;
