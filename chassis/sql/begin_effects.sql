-- An effect that was not known before begins after what the store holds now.
insert into effect_starts (effect, position)
select name, (select coalesce(max(position), 0) from events) from unnest(%s::text[]) as name
on conflict do nothing
