-- The whole dataset, in the schema that search_path names (001_qa_pairs.sql): further columns of qa_pairs, and the tables
-- beside it.
--
-- Rows may be written any number of times, in any order, by several writers at once, over PostgREST or directly. What
-- they leave behind is decided here, by triggers:
--
--   keep_newest   an upsert whose generation does not win changes nothing
--   settle        of all compiles of a segment the greatest generation is `active`, everything else `superseded`
--
-- Both fire for statements that set `generation`, as every upsert does. A person's own update does not, and stands.

-- A qa_pairs that was there before is taken over in place, with its rows and with further columns of its owner's. Where
-- that can not be done this raises a sentence (SQLSTATE TC001), and the transaction changes nothing.
do $$
declare
  pairs constant regclass := 'qa_pairs'::regclass;
  found record;
  names text;
  cast_to text;
begin
  if (select relkind from pg_class where oid = pairs) not in ('r', 'p') then
    raise exception using errcode = 'TC001', message = 'qa_pairs is not a table';
  end if;

  select string_agg(name, ', ' order by nth) into names
  from unnest(array['id', 'session_id', 'agent', 'turn_count', 'question', 'answer', 'supporting_turns', 'qa_type',
                    'source_model', 'cost_usd', 'raw_extraction', 'created_at']) with ordinality as _ (name, nth)
  where not exists (select from pg_attribute where attrelid = pairs and attname = name and not attisdropped);
  if names is not null then
    raise exception using errcode = 'TC001', message = 'qa_pairs is not of the published shape, it lacks ' || names;
  end if;

  select string_agg(attname, ', ' order by attnum) into names from pg_attribute
  where attrelid = pairs and attnum > 0 and not attisdropped
    and attname in ('pair_key', 'segment_id', 'trajectory_id', 'part', 'hops', 'span', 'evidence', 'derivation',
                    'verification', 'verification_reason', 'status', 'duplicate_of', 'portable', 'prompt_version',
                    'requested_model', 'compiler_version', 'generation');
  if names is not null then
    raise exception using errcode = 'TC001', message = 'qa_pairs has columns of its own by the name of ' || names;
  end if;

  select string_agg(attname, ', ' order by attnum) into names from pg_attribute
  where attrelid = pairs and attnum > 0 and not attisdropped and attnotnull and not atthasdef and attidentity = ''
    and attname not in ('id', 'session_id', 'agent', 'turn_count', 'question', 'answer', 'supporting_turns', 'qa_type',
                        'source_model', 'cost_usd', 'raw_extraction', 'created_at');
  if names is not null then
    raise exception using errcode = 'TC001',
      message = 'rows can not be written to qa_pairs: without a default, and not null, are ' || names;
  end if;

  -- JSON as it is, any other text as a JSON string.
  create function pg_temp.as_json(value text) returns jsonb language plpgsql as $f$
  begin
    return value::jsonb;
  exception when others then
    return to_jsonb(value);
  end $f$;

  for found in
    select attname as name, format_type(atttypid, atttypmod) as type, typcategory = 'A' as is_array,
           attidentity <> '' as is_identity
    from pg_attribute join pg_type on pg_type.oid = atttypid
    where attrelid = pairs and attnum > 0 and not attisdropped
  loop
    cast_to := case
      when found.name = 'id' and found.type not in ('uuid', 'text') then 'id::text'
      when found.name in ('session_id', 'agent', 'question', 'answer', 'qa_type', 'source_model')
        and found.type <> 'text' then format('%I::text', found.name)
      when found.name = 'turn_count' and found.type not in ('integer', 'bigint') then 'turn_count::integer'
      when found.name = 'supporting_turns' and found.is_array then 'to_jsonb(supporting_turns::bigint[])'
      when found.name = 'supporting_turns' and found.type <> 'jsonb' then 'supporting_turns::text::jsonb'
      when found.name = 'cost_usd' and found.type <> 'numeric' then 'cost_usd::numeric'
      when found.name = 'raw_extraction' and found.type <> 'jsonb' then 'pg_temp.as_json(raw_extraction::text)'
      when found.name = 'created_at' and found.type like 'timestamp%without time zone'
        then 'created_at at time zone ''UTC'' '
      when found.name = 'created_at' and found.type <> 'timestamp with time zone' then 'created_at::text::timestamptz'
    end;
    continue when cast_to is null;
    declare
      target constant text := case
        when found.name = 'turn_count' then 'integer'
        when found.name in ('supporting_turns', 'raw_extraction') then 'jsonb'
        when found.name = 'cost_usd' then 'numeric'
        when found.name = 'created_at' then 'timestamptz'
        else 'text'
      end;
    begin
      if found.is_identity then
        execute format('alter table qa_pairs alter column %I drop identity', found.name);
      elsif found.name = 'id' then
        alter table qa_pairs alter column id drop default;
      end if;
      execute format('alter table qa_pairs alter column %I type %s using %s', found.name, target, cast_to);
    exception
      when lock_not_available or deadlock_detected or insufficient_privilege then
        raise;
      when others then
        -- The server's own words may quote a value of a row.
        raise exception using errcode = 'TC001', message = format(
          'column %s of qa_pairs can not become %s (it is %s; SQLSTATE %s)', found.name, target, found.type, sqlstate);
    end;
  end loop;
  drop function pg_temp.as_json(text);

  -- Rows are written under ids of ours.
  if not exists (select from pg_index
                 where indrelid = pairs and indisunique and indpred is null and indnkeyatts = 1 and indexprs is null
                   and indkey[0] = (select attnum from pg_attribute where attrelid = pairs and attname = 'id')) then
    begin
      create unique index qa_pairs_by_id on qa_pairs (id);
    exception when unique_violation then
      raise exception using errcode = 'TC001', message = 'several rows of qa_pairs have the same id';
    end;
  end if;
  if not exists (select from pg_attribute where attrelid = pairs and attname = 'id' and atthasdef) then
    if (select atttypid from pg_attribute where attrelid = pairs and attname = 'id') = 'uuid'::regtype then
      alter table qa_pairs alter column id set default gen_random_uuid();
    else
      alter table qa_pairs alter column id set default gen_random_uuid()::text;
    end if;
  end if;
  if not exists (select from pg_attribute where attrelid = pairs and attname = 'created_at' and atthasdef) then
    alter table qa_pairs alter column created_at set default now();
  end if;
end $$;

alter table qa_pairs
  -- What is not known is null.
  alter column agent drop not null,
  alter column cost_usd drop not null,
  add column pair_key text,
  -- Null for pairs that were here before, and for those that others write.
  add column segment_id text,
  add column trajectory_id text,
  add column part integer,
  add column hops integer,
  add column span integer,
  add column evidence jsonb,
  add column derivation jsonb,
  add column verification text not null default 'unverified',
  add column verification_reason text,
  add column status text not null default 'active',
  add column duplicate_of text,
  add column portable boolean,
  add column prompt_version text,
  add column requested_model text,
  add column compiler_version text,
  add column generation text collate "C";

update qa_pairs set id = default where id is null;
update qa_pairs set pair_key = 'published:' || id::text;
alter table qa_pairs alter column pair_key set not null, add constraint qa_pairs_pair_key_key unique (pair_key);
create index qa_pairs_by_session on qa_pairs (session_id);
create index qa_pairs_by_segment on qa_pairs (segment_id);
create index qa_pairs_by_trajectory on qa_pairs (trajectory_id);

create table trajectories (
  id text primary key,
  source text not null,
  session_id text not null,
  part integer not null,
  agents jsonb not null,
  turn_count integer not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  closed_by text not null,
  content_hash text not null,
  generation text collate "C" not null
);
create index trajectories_by_session on trajectories (source, session_id);

create table trajectory_turns (
  trajectory_id text not null,
  turn integer not null,
  row_key text not null,
  -- JSON text of the turn as it was compiled. Text, since jsonb would order and round what it holds.
  body text not null,
  generation text collate "C" not null,
  primary key (trajectory_id, turn)
);
create index trajectory_turns_by_row on trajectory_turns (row_key);

create table rejections (
  key text primary key,
  segment_id text not null,
  trajectory_id text not null,
  session_id text not null,
  reason text not null,
  detail text not null,
  question text,
  answer text,
  raw_extraction jsonb not null,
  compiler_version text not null,
  status text not null default 'superseded',
  generation text collate "C" not null
);
create index rejections_by_segment on rejections (segment_id);

create table llm_calls (
  id text primary key,
  segment_id text not null,
  stage text not null,
  provider text not null,
  requested_model text not null,
  model text,
  service_tier text not null,
  prompt_hash text not null,
  prompt_tokens bigint,
  cached_tokens bigint,
  output_tokens bigint,
  thinking_tokens bigint,
  cost_usd numeric,
  cost_source text,
  started_at timestamptz not null,
  duration_ms double precision not null,
  outcome text not null,
  finish_reason text,
  parse_mode text,
  generation text collate "C" not null
);

-- One row for each trajectory and compiler version that has worked on it.
create table compilations (
  trajectory_id text not null,
  compiler_version text not null,
  compiled_at timestamptz not null,
  -- False where a segment failed: to be compiled again.
  complete boolean not null,
  segments integer not null,
  pairs integer not null,
  rejected integer not null,
  generation text collate "C" not null,
  primary key (trajectory_id, compiler_version)
);

create table segments (
  id text not null,
  compiler_version text not null,
  trajectory_id text not null,
  session_id text not null,
  first_turn integer not null,
  last_turn integer not null,
  fingerprint text not null,
  topic text,
  metrics jsonb not null,
  share_seen double precision not null,
  outcome text not null,
  reason text,
  status text not null default 'superseded',
  generation text collate "C" not null,
  primary key (id, compiler_version)
);
create index segments_by_trajectory on segments (trajectory_id);

create view sessions as
select source, session_id, count(*)::integer as trajectories, sum(turn_count)::integer as turns,
       (select jsonb_agg(agent order by agent collate "C")
        from (select distinct jsonb_array_elements_text(mine.agents) as agent from trajectories mine
              where mine.source = t.source and mine.session_id = t.session_id) as named) as agents,
       min(started_at) as started_at, max(ended_at) as ended_at
from trajectories t
group by source, session_id;

-- The rights of whoever asks, not those of the view's owner. Before PostgreSQL 15 the grants below have to do.
do $$
begin
  if current_setting('server_version_num')::integer >= 150000 then
    alter view sessions set (security_invoker = true);
  end if;
end $$;

create function trajectory_compiler_keep_row() returns trigger
language plpgsql set search_path from current as $$
begin
  return null;
end $$;

-- The lock: writers of one session wait for each other, so that what one of them is about to commit is seen by the next.
create function trajectory_compiler_settle_row() returns trigger
language plpgsql set search_path from current as $$
begin
  if new.segment_id is null or new.status not in ('active', 'superseded') then
    return new;
  end if;
  perform pg_advisory_xact_lock(hashtextextended(new.session_id, 7340211));
  new.status := case
    when new.generation = (select max(generation) from segments where id = new.segment_id) then 'active'
    else 'superseded'
  end;
  return new;
end $$;

-- Before any row of segments is locked: whoever has the lock may be about to wait for that row.
create function trajectory_compiler_lock_session() returns trigger
language plpgsql set search_path from current as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(new.session_id, 7340211));
  return new;
end $$;

create function trajectory_compiler_settle_segment() returns trigger
language plpgsql set search_path from current as $$
declare
  in_force text collate "C";
begin
  in_force := (select max(generation) from segments where id = new.id);
  update segments set status = case when generation = in_force then 'active' else 'superseded' end
  where id = new.id and status in ('active', 'superseded') and (status = 'active') <> (generation = in_force);
  update qa_pairs set status = case when generation = in_force then 'active' else 'superseded' end
  where segment_id = new.id and status in ('active', 'superseded') and (status = 'active') <> (generation = in_force);
  update rejections set status = case when generation = in_force then 'active' else 'superseded' end
  where segment_id = new.id and status in ('active', 'superseded') and (status = 'active') <> (generation = in_force);
  return null;
end $$;

-- Whoever writes pairs of the published shape beside us goes on doing so.
create function trajectory_compiler_name_pair() returns trigger
language plpgsql set search_path from current as $$
begin
  new.pair_key := coalesce(new.pair_key, 'published:' || new.id::text);
  return new;
end $$;

-- Of one event triggers fire in the order of their names: keep_newest, name_pair, settle.
create trigger keep_newest before update of generation on trajectories for each row
  when ((new.generation > old.generation) is not true) execute function trajectory_compiler_keep_row();
create trigger keep_newest before update of generation on trajectory_turns for each row
  when ((new.generation > old.generation) is not true) execute function trajectory_compiler_keep_row();
create trigger keep_newest before update of generation on qa_pairs for each row
  when ((new.generation > old.generation) is not true) execute function trajectory_compiler_keep_row();
create trigger keep_newest before update of generation on rejections for each row
  when ((new.generation > old.generation) is not true) execute function trajectory_compiler_keep_row();
create trigger keep_newest before update of generation on compilations for each row
  when ((new.generation > old.generation) is not true) execute function trajectory_compiler_keep_row();
create trigger keep_newest before update of generation on segments for each row
  when ((new.generation > old.generation) is not true) execute function trajectory_compiler_keep_row();
-- A recorded answer that was used again appears with its call again: it was paid for the first time.
create trigger keep_oldest before update of generation on llm_calls for each row
  when ((new.generation < old.generation) is not true) execute function trajectory_compiler_keep_row();

create trigger name_pair before insert on qa_pairs for each row execute function trajectory_compiler_name_pair();
create trigger settle before insert or update of generation on qa_pairs for each row
  execute function trajectory_compiler_settle_row();
create trigger settle before insert or update of generation on rejections for each row
  execute function trajectory_compiler_settle_row();
create trigger lock_session before insert on segments for each row
  execute function trajectory_compiler_lock_session();
create trigger settle after insert or update of generation on segments for each row
  execute function trajectory_compiler_settle_segment();

-- Of an older qa_pairs too: what its owner's policies do not allow is no longer seen with a publishable key.
alter table qa_pairs enable row level security;
alter table trajectories enable row level security;
alter table trajectory_turns enable row level security;
alter table rejections enable row level security;
alter table llm_calls enable row level security;
alter table compilations enable row level security;
alter table segments enable row level security;

-- Supabase grants everything on new tables to the roles behind publishable keys. Policies that the owner of an older
-- qa_pairs made stay, with their grants.
do $$
declare
  ours constant text := 'trajectories, trajectory_turns, rejections, llm_calls, compilations, segments, sessions';
  role_name text;
begin
  execute format('revoke all on %s from public', ours);
  for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
    execute format('revoke all on %s from %I', ours, role_name);
    if not exists (select from pg_policy where polrelid = 'qa_pairs'::regclass) then
      execute format('revoke all on qa_pairs from %I', role_name);
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'service_role') then
    execute format('grant usage on schema %I to service_role', current_schema);
    execute format('grant select, insert, update on qa_pairs, %s to service_role', replace(ours, ', sessions', ''));
    execute 'grant select on sessions to service_role';
  end if;
end $$;

revoke all on function trajectory_compiler_keep_row(), trajectory_compiler_name_pair(),
  trajectory_compiler_lock_session(), trajectory_compiler_settle_row(), trajectory_compiler_settle_segment() from public;
