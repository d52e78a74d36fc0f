-- Which server, database and timeline this is: a store that was restored stands elsewhere than before.
select (select system_identifier from pg_control_system())::text as server,
    (select oid from pg_database where datname = current_database())::bigint as database,
    (select timeline_id from pg_control_checkpoint())::int as timeline
