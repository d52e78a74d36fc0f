-- The mark that a run was begun for: a run that has it tried that mark; times of several servers tell nothing of order.

alter table rebuilds add column mixed_at timestamptz;
comment on column rebuilds.mixed_at is
    'projections.mixed_at when the run began, compared for being the same: after a failover clocks are of another server';
