-- As in 0006, and the store stands where it was last compared: what a process read of the database before is not
-- folded into one that took its place. Also for code of before this, which calls it likewise.
create or replace function fence(moved bigint, known bigint, me uuid) returns void language plpgsql volatile as $$
begin
    -- Of whatever epoch: one that was begun since moved the positions of the own store.
    perform stand(2147483647);
    if not exists (select from members where role = 'fold:' and member = me) then
        raise exception 'this process was taken for dead while a read model was replaced' using errcode = 'ZF001';
    elsif moved <> known then
        raise exception 'a position was moved by another process' using errcode = 'ZF001';
    end if;
end
$$;
