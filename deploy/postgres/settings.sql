-- Settings of the server that holds the audit log. Run as a superuser, outside of a transaction:
--
--   psql -f settings.sql
--
-- wal_level, max_replication_slots and max_wal_senders need a restart of the server; for the others
-- SELECT pg_reload_conf() is enough. Where a provider keeps ALTER SYSTEM to itself, its console has the same names.

-- Rows can be decoded from the WAL.
ALTER SYSTEM SET wal_level = 'logical';

-- One of each for the capture, beside what replicas and other tools use; 10 is Postgres' own default.
ALTER SYSTEM SET max_replication_slots = 10;
ALTER SYSTEM SET max_wal_senders = 10;

-- What is kept at most for a capture that is away. Beyond it the slot is lost: rows since then are only in the table, and
-- `run --from beginning` into a fresh data directory reads them. The default, -1, lets an abandoned slot fill the disk.
-- Take the WAL of the longest absence that must be survived, and have that much disk to spare.
ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';

-- After this long without a sign of life the server ends the connection; 0 would never notice a capture that is gone.
ALTER SYSTEM SET wal_sender_timeout = '60s';
