-- Says that a member of a role is here; how many others were, not long ago.
with seen as (
    insert into members (role, member, seen_at) values (%s, %s, clock_timestamp())
    on conflict (role, member) do update set seen_at = clock_timestamp()
    returning member
)
select count(*) as others from members, seen
where role = %s and members.member <> seen.member
  and seen_at > clock_timestamp() - make_interval(secs => %s)
