-- Positions of a reader, moved from where it knows them to be, by the function of 0015_kept_plans.sql.
select move_positions(
    %s::text[], %s::smallint[], %s::text[], %s::integer[], %s::bigint[], %s::bigint[], %s::integer[], %s::bigint[], %s
)
