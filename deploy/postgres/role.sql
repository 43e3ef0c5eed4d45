-- The role of capture, with no more rights than it needs. Run it as an administrator of the database that holds the
-- audit log, once the table is there; safe to repeat:
--
--   psql -f role.sql
--   psql -c '\password trajectory_compiler'
--
-- What differs is set before, in the same session, such as psql -c "SET tc.audit_log = 'agents.log'" -f role.sql, or as a
-- line above these in an SQL editor:
--
--   SET tc.audit_log = 'public.audit_log';
--   SET tc.password = '…';             where \password is not at hand; it may then stand in the server's log
--
-- REPLICATION is powerful: such a role can name any publication of a database that pg_hba.conf lets it reach. Keep it to
-- that one database:
--
--   hostssl  <database>  trajectory_compiler  <address of the capture>  scram-sha-256

DO $$
DECLARE
  audit_log regclass := coalesce(nullif(current_setting('tc.audit_log', true), ''), 'public.audit_log');
  secret text := nullif(current_setting('tc.password', true), '');
  table_schema name := (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = audit_log);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'trajectory_compiler') THEN
    CREATE ROLE trajectory_compiler;
  END IF;
  ALTER ROLE trajectory_compiler LOGIN REPLICATION NOINHERIT CONNECTION LIMIT 8;
  IF secret IS NOT NULL THEN
    EXECUTE format('ALTER ROLE trajectory_compiler PASSWORD %L', secret);
  END IF;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO trajectory_compiler', current_database());
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO trajectory_compiler', table_schema);
  -- History and counting read the table; the stream itself does not need the right.
  EXECUTE format('GRANT SELECT ON %s TO trajectory_compiler', audit_log);
END
$$;
