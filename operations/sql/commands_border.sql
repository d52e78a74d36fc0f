-- Up to where a page of so many events goes: to its end where it is the last, else to the end of its last command
-- but one, for the last may go on; a page of one command goes to its end.
with page as materialized (
    select position, command_id from events where position > %s and position <= %s order by position limit %s
)
select count(*) as events, max(position) as until,
    max(position) filter (
        where command_id is distinct from (select command_id from page order by position desc limit 1)
    ) as complete
from page
