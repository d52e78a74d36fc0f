-- A rebuild's holder, by number: who was interrupted, or frozen, writes nothing once another one goes on.

alter table rebuilds add column turn integer not null default 0;
alter table rebuild_places add column turn integer not null default 0;
comment on column rebuilds.turn is
    'How often somebody began, or went on, with a run: only the last one''s workers move its places';
