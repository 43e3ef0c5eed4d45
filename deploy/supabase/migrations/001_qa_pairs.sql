-- The published shape of the dataset: one row a question, with the turns that support it.
--
-- `trajectory-compiler migrate` runs this in the schema that supabase.schema names, with search_path set to that schema
-- alone. A qa_pairs that is there already stays as it is; 002_dataset.sql takes it over.

do $$
begin
  if to_regclass('qa_pairs') is not null then
    return;
  end if;
  create table qa_pairs (
    id uuid primary key default gen_random_uuid(),
    session_id text,
    agent text,
    turn_count integer,
    question text,
    answer text,
    -- Array of numbers, 0-based in the trajectory.
    supporting_turns jsonb,
    qa_type text,
    source_model text,
    -- US dollars; null where it is not known.
    cost_usd numeric,
    raw_extraction jsonb,
    created_at timestamptz not null default now()
  );
  -- No policy: whoever comes with a publishable key or as a signed-in user sees nothing.
  alter table qa_pairs enable row level security;
end $$;
