-- Ends a transaction that moved fewer positions than it knows: another process moved them. Within the statements,
-- so that they and the commit go together, in one round trip. The code is one that PostgreSQL has no use for.
create function fence(moved bigint, known bigint) returns void language plpgsql volatile as $$
begin
    if moved <> known then
        raise exception 'a position was moved by another process' using errcode = 'ZF001';
    end if;
end
$$;
