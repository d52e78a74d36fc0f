-- Keys of persons and services, each wrapped under the master key: 12 bytes of nonce, then AES-256-GCM.

create table keys (
    kid text primary key,
    owner text not null,
    wrapped bytea,
    created_at timestamptz not null default now(),
    destroyed_at timestamptz
);
