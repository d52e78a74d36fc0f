-- An event is found by its stream and version. Its id follows from its command's, which is there once, and its number.
alter table events drop constraint events_id_key;
