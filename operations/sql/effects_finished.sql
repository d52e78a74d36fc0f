-- Which of these effects are done, or parked.
select w.effect, w.event_id
from unnest(%s::text[], %s::uuid[], %s::uuid[]) as w (effect, event_id, command_id)
where exists (select from commands c where c.command_id = w.command_id)
   or exists (select from effects_done d where d.effect = w.effect and d.event_id = w.event_id)
   or exists (select from parked p where p.handler = w.effect and p.event_id = w.event_id)
