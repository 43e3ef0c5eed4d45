import { sinkContract } from './contract.ts';
import { mirrorHarness } from './mirror-harness.ts';

sinkContract('the Postgres sink', () => mirrorHarness('direct'), { runs: 15 });
sinkContract('the Supabase sink', () => mirrorHarness('rest'), { runs: 10 });
