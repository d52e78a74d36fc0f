-- The notes of positions from one to another, as a view of numbers: charts of ten notes each, a hundred
-- charts at a time in turn, so that the events of a stream lie apart as they do in life. Patients come and go
-- in cohorts, since a program lasts some weeks: all of a patient's events lie within the events of the cohort.
create or replace function pg_temp.notes(first bigint, last bigint) returns table (
    "position" bigint, id uuid, chart uuid, stream_version integer, patient uuid, partition smallint,
    recorded_at timestamptz, command_id uuid, body bytea
) language sql stable as $$
    select n, md5('event-' || n)::uuid, chart.id, ((n - 1) % 1000 / 100)::int + 1, p.id, p.partition,
        timestamptz '2026-01-01 00:00+00' + n * interval '1 second', md5('command-' || n)::uuid,
        convert_to(format(
            '{"note":"%s","patient":"%s","episode":"%s","session":"%s","clinician":"%s",'
            '"text":{"kid":"%s.1","nonce":"%s","ct":"%s"}}',
            md5('event-' || n)::uuid, p.id, p.id, md5('event-' || n)::uuid, s.clinician, p.id, s.nonce, s.ct
        ), 'UTF8')
    from generate_series(first, last) as n
    cross join lateral (select (n - 1) / 1000 * 100 + (n - 1) % 100 as number) c
    cross join lateral (select md5('chart-' || c.number)::uuid as id) chart
    cross join shape s
    join patient p on p.number = ((n - 1) / s.stay * s.cohort + c.number * 7919 % s.cohort) % s.patients
    order by n
$$
