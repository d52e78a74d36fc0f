-- A record's place has the epoch too: a store that was set back gives positions again.

alter table discarded add column epoch integer not null default 1;
alter table discarded alter column epoch drop default;
alter table discarded drop constraint discarded_pkey;
alter table discarded add primary key (handler, source, epoch, position);

alter table rebuild_skipped add column epoch integer not null default 1;
alter table rebuild_skipped alter column epoch drop default;
alter table rebuild_skipped drop constraint rebuild_skipped_pkey;
alter table rebuild_skipped add primary key (projection, target, source, epoch, position);
