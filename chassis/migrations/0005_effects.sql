-- Where effects are: how far all of them are done in each partition of the own topic, at first nowhere, and after
-- which position of the store each of them begins.

create table effect_marks (
    partition smallint primary key,
    epoch integer not null,
    position bigint not null,
    kafka_offset bigint not null
);
insert into effect_marks select number, 1, 0, -1 from generate_series(0, 11) as number;

create table effect_starts (
    effect text primary key,
    position bigint not null
);
