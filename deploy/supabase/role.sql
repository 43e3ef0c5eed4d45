-- A role with no more than the direct connection of the sink needs: it adds and changes rows of the dataset, deletes
-- none, and sees nothing else. Run as the owner of the tables, after `trajectory-compiler migrate`.
--
--   psql -v schema=public -v password="'…'" -f role.sql
--
-- Its connection string is supabase.databaseUrl of whatever runs the sink. `migrate` needs the owner's.

CREATE ROLE trajectory_compiler_sink LOGIN NOSUPERUSER NOINHERIT CONNECTION LIMIT 16 PASSWORD :password;

GRANT USAGE ON SCHEMA :"schema" TO trajectory_compiler_sink;
SET search_path TO :"schema", pg_temp;
GRANT SELECT, INSERT, UPDATE ON
  qa_pairs, verdicts, trajectories, trajectory_turns, rejections, llm_calls, compilations, segments
  TO trajectory_compiler_sink;
GRANT SELECT ON trajectory_compiler_migrations TO trajectory_compiler_sink;

-- Row level security is on, and a role without a policy sees no row.
CREATE POLICY sink ON qa_pairs TO trajectory_compiler_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON verdicts TO trajectory_compiler_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON trajectories TO trajectory_compiler_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON trajectory_turns TO trajectory_compiler_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON rejections TO trajectory_compiler_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON llm_calls TO trajectory_compiler_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON compilations TO trajectory_compiler_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON segments TO trajectory_compiler_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON trajectory_compiler_migrations FOR SELECT TO trajectory_compiler_sink USING (true);
