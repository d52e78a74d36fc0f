-- Says for each role that a process is a member; how many others were seen of late.
with seen as (
    insert into members (role, member, seen_at) select unnest(%s::text[]), %s, clock_timestamp()
    on conflict (role, member) do update set seen_at = clock_timestamp()
)
select role, count(*)::int as others from members
where member <> %s and seen_at > clock_timestamp() - make_interval(secs => %s)
group by role
