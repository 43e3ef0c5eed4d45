-- The role of compile workers where topics are Kafka: they read back the rows of trajectories that are too large for a
-- message. Also enough for `extract` and `compile`. Run as role.sql is, with the same settings:
--
--   psql -f reader.sql
--   psql -c '\password trajectory_compiler_reader'

DO $$
DECLARE
  audit_log regclass := coalesce(nullif(current_setting('tc.audit_log', true), ''), 'public.audit_log');
  secret text := nullif(current_setting('tc.password', true), '');
  table_schema name := (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = audit_log);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'trajectory_compiler_reader') THEN
    CREATE ROLE trajectory_compiler_reader;
  END IF;
  ALTER ROLE trajectory_compiler_reader LOGIN NOINHERIT;
  IF secret IS NOT NULL THEN
    EXECUTE format('ALTER ROLE trajectory_compiler_reader PASSWORD %L', secret);
  END IF;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO trajectory_compiler_reader', current_database());
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO trajectory_compiler_reader', table_schema);
  EXECUTE format('GRANT SELECT ON %s TO trajectory_compiler_reader', audit_log);
END
$$;
