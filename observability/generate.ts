/** `npm run observability` writes what Grafana and readers get; with `--check` it only says what has drifted. */
import { drifted, write } from './generated.ts';

if (process.argv.includes('--check')) {
  const stale = drifted();
  if (stale.length > 0) {
    process.stderr.write(`${stale.join(', ')}: not what the code says; run npm run observability\n`);
    process.exitCode = 1;
  }
} else write();
