-- Of a page of commands, in order of their ids, those that are remembered to have recorded something, though the
-- event at their position is of another command or is not there; and where the page ends.
with page as materialized (
    select command_id, position, streams, refusal from commands
    where command_id > %s order by command_id limit %s
)
select
    (select count(*) from page) as commands,
    (select command_id from page order by command_id desc limit 1) as last,
    array(
        select p.command_id from page p
        where (p.streams <> '{}' or p.refusal is not null)
            and p.command_id is distinct from (select e.command_id from events e where e.position = p.position)
    ) as suspects
