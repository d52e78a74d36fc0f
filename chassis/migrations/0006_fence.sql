-- Ends a transaction of a reader that moved fewer positions than it knows, since another process moved them, or that
-- was taken for dead. Within the statements, so that they and the commit go together, in one round trip; it waits for
-- who replaces a read model, as each statement that writes positions does, and sees whom that struck off. The code is
-- one that PostgreSQL has no use for.
create function fence(moved bigint, known bigint, me uuid) returns void language plpgsql volatile as $$
begin
    if not exists (select from members where role = 'fold:' and member = me) then
        raise exception 'this process was taken for dead while a read model was replaced' using errcode = 'ZF001';
    elsif moved <> known then
        raise exception 'a position was moved by another process' using errcode = 'ZF001';
    end if;
end
$$;
