-- The timers due first, behind the time and key of the last one that was looked at.
select due_at, key from timers
where due_at <= %s and (due_at, key) > (%s, %s)
order by due_at, key
limit %s
