-- Who may call. A key is stored as its SHA-256; `hint` is its beginning, to tell keys apart. tenant_id null: any
-- tenant.
create table api_keys (
  id uuid primary key default gen_random_uuid(),
  position bigint generated always as identity,
  hash bytea not null unique,
  hint text not null,
  name text not null,
  scopes text[] not null check (cardinality(scopes) > 0 and scopes <@ '{ingest,read,admin}'),
  tenant_id uuid references tenants (id) on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

create index api_keys_tenant on api_keys (tenant_id);

-- Who changed what, and how it was before and after, without secrets. Written by triggers, so no change escapes.
create table audit_log (
  position bigint generated always as identity primary key,
  created_at timestamptz not null default now(),
  actor text not null,
  action text not null,
  subject_id uuid not null,
  tenant_id uuid,
  before jsonb,
  after jsonb
);

create index audit_log_tenant on audit_log (tenant_id, position);

-- Tenants that were deleted and whose events and rollups are still to be deleted, in small batches, by `prune`.
create table deleted_tenants (
  tenant_id uuid primary key,
  deleted_at timestamptz not null default now()
);
