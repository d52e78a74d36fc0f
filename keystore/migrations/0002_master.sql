-- Which master key wraps the keys here: a keyed digest of a constant, written at the first migration.

create table master (
    only_one boolean primary key default true check (only_one),
    check_value text not null
);
