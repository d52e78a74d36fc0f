-- A difference that a person accepted: of one run, until that ends.

alter table rebuilds add column accepted jsonb;
comment on column rebuilds.accepted is
    'Who accepted that what a run (named in it) finds differs from what serves, what for, and why (sealed)';
