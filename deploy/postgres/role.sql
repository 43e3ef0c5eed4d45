-- A role with no more than capture needs. Run as an administrator of the database that holds the audit log.
--
--   psql -v table=public.audit_log -v password="'…'" -f role.sql
--
-- A table in a schema that not everybody may use needs -v schema=<schema> too.
--
-- REPLICATION is powerful: such a role can name any publication of a database that pg_hba.conf lets it reach. Keep it to
-- that one database:
--
--   hostssl  <database>  trajectory_compiler  <address of the capture>  scram-sha-256

CREATE ROLE trajectory_compiler LOGIN REPLICATION NOSUPERUSER NOINHERIT CONNECTION LIMIT 8 PASSWORD :password;

\if :{?schema}
GRANT USAGE ON SCHEMA :schema TO trajectory_compiler;
\endif

-- History, `extract` and `compile` read the table; the stream itself does not need the right.
GRANT SELECT ON :table TO trajectory_compiler;

-- `init` creates a publication, which the table's owner may do. Run it with the owner's connection string, or let it
-- find both in place:
--
--   CREATE PUBLICATION trajectory_compiler FOR TABLE <table>
--     WITH (publish = 'insert, truncate', publish_via_partition_root = true);
--   SELECT pg_create_logical_replication_slot('trajectory_compiler', 'pgoutput');
