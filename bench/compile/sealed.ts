/** Sessions that were captured and wait on a topic. */
import { lastJson, runCli } from '../../test/support/cli.ts';
import { queryOn } from '../../test/support/postgres.ts';

const turnsEach = 12;

/** Writes `count` sessions of twelve rows, no two alike, and captures them. */
export async function sealSessions(env: Record<string, string>, count: number): Promise<void> {
  lastJson(await runCli(['init', '--create-table', '--json'], { env }));
  await queryOn(
    env.TC_POSTGRES_URL!,
    `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
     SELECT 'session-' || s, 'depot', (ARRAY['weigh_parcel', 'move_parcel', 'ask_owner'])[1 + n % 3],
            jsonb_build_object('parcel', 'PX-' || s), jsonb_build_object('seen', repeat(md5((s * 100 + n)::text), 20))
       FROM generate_series(1, $1::int) AS s, generate_series(1, $2::int) AS n ORDER BY n, s`,
    [String(count), String(turnsEach)],
  );
  const { trajectories } = lastJson(await runCli(['run', '--role', 'capture', '--until-idle', '--json'], { env }));
  if (trajectories !== count) throw new Error(`${trajectories} of ${count} sessions were sealed`);
}
