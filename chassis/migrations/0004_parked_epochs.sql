-- A store that was set back begins a new epoch, and gives positions again: a record's place has both.

alter table parked add column epoch integer;
update parked set epoch = convert_from(decode(headers ->> 'ce_epoch', 'base64'), 'UTF8')::integer;
alter table parked alter column epoch set not null;
alter table parked drop constraint parked_handler_source_position_key;
alter table parked add unique (handler, source, epoch, position);
