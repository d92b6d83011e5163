-- Browsers that are signed in. A session stands for its key: it ends with it, or when its own time is over.
create table sessions (
  hash bytea primary key,
  key_id uuid not null references api_keys (id) on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);

create index sessions_key on sessions (key_id);
create index sessions_expires_at on sessions (expires_at);
