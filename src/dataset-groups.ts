/**
 * Schema of the pass that marks duplicates (`duplicates.ts`): which pairs ask the same of different things. Triggers note
 * what it has to look at again, whoever writes the pairs.
 */
export const groupQuestions = `
  CREATE TABLE question_groups (
    pair_key TEXT PRIMARY KEY NOT NULL,
    -- Digest of agent, week and masked question.
    name TEXT NOT NULL,
    -- As in qa_pairs, and as a mirror was last told.
    duplicate_of TEXT,
    told TEXT
  ) WITHOUT ROWID;
  CREATE INDEX question_groups_by_name ON question_groups (name);
  CREATE INDEX question_groups_untold ON question_groups (pair_key) WHERE duplicate_of IS NOT told;
  CREATE TABLE ungrouped_pairs (pair_key TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;
  INSERT INTO ungrouped_pairs SELECT pair_key FROM qa_pairs;

  CREATE TRIGGER pair_added AFTER INSERT ON qa_pairs BEGIN
    INSERT INTO ungrouped_pairs VALUES (new.pair_key) ON CONFLICT DO NOTHING;
  END;
  CREATE TRIGGER pair_changed AFTER UPDATE OF question, agent, trajectory_id, created_at, status, verification ON qa_pairs
  WHEN new.question IS NOT old.question OR new.agent IS NOT old.agent OR new.trajectory_id IS NOT old.trajectory_id
    OR new.created_at IS NOT old.created_at OR new.status IS NOT old.status OR new.verification IS NOT old.verification
  BEGIN
    INSERT INTO ungrouped_pairs VALUES (new.pair_key) ON CONFLICT DO NOTHING;
  END;
  CREATE TRIGGER pair_removed AFTER DELETE ON qa_pairs BEGIN
    INSERT INTO ungrouped_pairs VALUES (old.pair_key) ON CONFLICT DO NOTHING;
  END;
`;
