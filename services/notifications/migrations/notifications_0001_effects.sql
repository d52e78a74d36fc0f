-- Effects that are older than the table of where each begins: they are of the first event on.

insert into effect_starts (effect, position) values ('mailer', 0), ('notifier', 0);
