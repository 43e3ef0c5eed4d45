-- The role that owns the database where compile workers of several hosts record what models answered (calls.url). Any
-- server will do; the workers create the tables themselves. Safe to repeat:
--
--   psql -f calls.sql
--   psql -c '\password trajectory_compiler_calls'
--   createdb --owner trajectory_compiler_calls trajectory_compiler_calls

DO $$
DECLARE
  secret text := nullif(current_setting('tc.password', true), '');
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'trajectory_compiler_calls') THEN
    CREATE ROLE trajectory_compiler_calls;
  END IF;
  ALTER ROLE trajectory_compiler_calls LOGIN NOINHERIT;
  IF secret IS NOT NULL THEN
    EXECUTE format('ALTER ROLE trajectory_compiler_calls PASSWORD %L', secret);
  END IF;
END
$$;
