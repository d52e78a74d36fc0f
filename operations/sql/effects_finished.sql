-- Which of these effects are done, or parked, or begin only after the event.
select w.effect, w.event_id
from unnest(%s::text[], %s::uuid[], %s::uuid[], %s::bigint[]) as w (effect, event_id, command_id, position)
where exists (select from commands c where c.command_id = w.command_id)
   or exists (select from effects_done d where d.effect = w.effect and d.event_id = w.event_id)
   or exists (select from parked p where p.handler = w.effect and p.event_id = w.event_id)
   or w.position <= (select s.position from effect_starts s where s.effect = w.effect)
