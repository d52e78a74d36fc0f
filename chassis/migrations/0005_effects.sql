-- Where effects are: how far all of them are done in each partition of the own topic, and after which position of
-- the store each of them begins. What has no row in the first begins at the partition's beginning.

create table effect_marks (
    partition smallint primary key,
    epoch integer not null,
    position bigint not null,
    kafka_offset bigint not null
);

create table effect_starts (
    effect text primary key,
    position bigint not null
);
