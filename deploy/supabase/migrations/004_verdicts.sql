-- Verdicts on pairs, which are asked for again when prompt, model or gates change. Of those on the same content (question,
-- answer, supporting turns) the greatest generation counts, and is what the pair's own columns say: in whatever order
-- compiles and verdicts come, and by whatever way.

alter table qa_pairs
  -- Null for pairs of before: their verdict is that of the row until there is one in verdicts.
  add column content_hash text,
  -- Names prompt and model of the verifier, or the gates.
  add column verdict_version text,
  add column verified_at timestamptz,
  -- The model that verified is of the same family as the one that wrote the pair: they may share an error.
  add column same_family boolean;

create table verdicts (
  pair_key text not null,
  content_hash text not null,
  session_id text not null,
  verification text not null,
  verification_reason text,
  verdict_version text,
  verified_at timestamptz,
  same_family boolean,
  generation text collate "C" not null,
  primary key (pair_key, content_hash)
);

create function trajectory_compiler_take_verdict() returns trigger
language plpgsql set search_path from current as $$
declare
  verdict verdicts;
begin
  if new.segment_id is null then
    return new;
  end if;
  perform pg_advisory_xact_lock(hashtextextended(new.session_id, 7340211));
  select * into verdict from verdicts
  where pair_key = new.pair_key and content_hash = coalesce(new.content_hash, content_hash)
  order by generation desc limit 1;
  if found then
    new.verification := verdict.verification;
    new.verification_reason := verdict.verification_reason;
    new.verdict_version := verdict.verdict_version;
    new.verified_at := verdict.verified_at;
    new.same_family := verdict.same_family;
  end if;
  return new;
end $$;

create function trajectory_compiler_give_verdict() returns trigger
language plpgsql set search_path from current as $$
begin
  update qa_pairs as pair
  set verification = new.verification, verification_reason = new.verification_reason,
      verdict_version = new.verdict_version, verified_at = new.verified_at, same_family = new.same_family
  where pair.pair_key = new.pair_key and coalesce(pair.content_hash, new.content_hash) = new.content_hash
    and new.generation = (select max(generation) from verdicts
                          where pair_key = new.pair_key
                            and content_hash = coalesce(pair.content_hash, content_hash));
  return null;
end $$;

create trigger keep_newest before update of generation on verdicts for each row
  when ((new.generation > old.generation) is not true) execute function trajectory_compiler_keep_row();
-- The same lock as for pairs and segments: of a pair and a verdict that two are about to commit, the later sees the other.
create trigger lock_session before insert on verdicts for each row
  execute function trajectory_compiler_lock_session();
create trigger give_verdict after insert or update of generation on verdicts for each row
  execute function trajectory_compiler_give_verdict();
-- Fires after settle.
create trigger take_verdict before insert or update of generation on qa_pairs for each row
  execute function trajectory_compiler_take_verdict();

alter table verdicts enable row level security;

do $$
declare
  role_name text;
begin
  revoke all on verdicts from public;
  for role_name in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
    execute format('revoke all on verdicts from %I', role_name);
  end loop;
  if exists (select from pg_roles where rolname = 'service_role') then
    grant select, insert, update on verdicts to service_role;
  end if;
  -- The role of role.sql, where it writes here already.
  if exists (select from pg_roles
             where rolname = 'trajectory_compiler_sink' and has_table_privilege(oid, 'qa_pairs'::regclass, 'insert')) then
    grant select, insert, update on verdicts to trajectory_compiler_sink;
    create policy sink on verdicts to trajectory_compiler_sink using (true) with check (true);
  end if;
end $$;

revoke all on function trajectory_compiler_take_verdict(), trajectory_compiler_give_verdict() from public;
