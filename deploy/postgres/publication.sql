-- What `init` creates as the owner of the table, for those who would rather run it themselves; safe to repeat. Then
-- `trajectory-compiler init` as the role of role.sql creates the slot, which must come after, and checks everything.
--
--   psql -f publication.sql
--
-- Set before, in the same session, where they differ:
--
--   SET tc.audit_log = 'public.audit_log';
--   SET tc.publication = 'trajectory_compiler';
--   SET tc.columns = 'id, session_id, …';      columns of other names than the settings' defaults

DO $$
DECLARE
  audit_log regclass := coalesce(nullif(current_setting('tc.audit_log', true), ''), 'public.audit_log');
  publication name := coalesce(nullif(current_setting('tc.publication', true), ''), 'trajectory_compiler');
  wanted text[] := regexp_split_to_array(
    coalesce(
      nullif(current_setting('tc.columns', true), ''),
      'id,session_id,agent,tool,arguments,response,cost_usd,duration_ms,created_at'
    ),
    '\s*,\s*'
  );
  columns text := '';
BEGIN
  IF EXISTS (SELECT FROM pg_publication WHERE pubname = publication) THEN
    RETURN;
  END IF;
  -- Before Postgres 15 a publication carries every column.
  IF current_setting('server_version_num')::int >= 150000 THEN
    SELECT format(' (%s)', string_agg(quote_ident(attname), ', ')) INTO columns
      FROM pg_attribute WHERE attrelid = audit_log AND attnum > 0 AND NOT attisdropped AND attname = ANY (wanted);
  END IF;
  EXECUTE format(
    'CREATE PUBLICATION %I FOR TABLE %s%s WITH (publish = ''insert, truncate'', publish_via_partition_root = true)',
    publication, audit_log, columns
  );
END
$$;
