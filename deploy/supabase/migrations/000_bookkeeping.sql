-- Which migrations a schema has. Run before the first of them.

create table trajectory_compiler_migrations (
  version integer primary key,
  applied_at timestamptz not null default now(),
  -- Of the migration's text.
  sha256 text not null
);
alter table trajectory_compiler_migrations enable row level security;

do $$
declare
  role_name text;
begin
  revoke all on trajectory_compiler_migrations from public;
  for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
    execute format('revoke all on trajectory_compiler_migrations from %I', role_name);
  end loop;
end $$;
