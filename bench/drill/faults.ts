import type { DrillReport } from './drill.ts';

/** What of a report is not as promised, in words. */
export function faultsOf(report: DrillReport, { compiledAtLeast }: { compiledAtLeast: number }): string[] {
  const { lost, tooMany, altered, unequal, compiledDuringNoise, deadLetters, uncleanStops } = report;
  const repeated = report.trajectories.repeated + report.compiled.repeated;
  const checks: [boolean, string][] = [
    [lost.length > 0, `${lost.length} trajectories are missing in a sink`],
    [tooMany.length > 0, `${tooMany.length} sessions are there more than once, or should not be there`],
    [altered.length > 0, `${altered.length} trajectories do not hold the log's rows`],
    [unequal.length > 0, `the sinks differ in ${unequal.join(', ')}`],
    [deadLetters > 0, `${deadLetters} dead letters`],
    [uncleanStops.length > 0, `did not end cleanly: ${uncleanStops.join(', ')}`],
    [compiledDuringNoise < compiledAtLeast, `only ${compiledDuringNoise} compiled during the noise`],
    [repeated + report.absorbed === 0, 'no duplicate was seen, though workers crashed before they acknowledged'],
  ];
  return checks.filter(([fails]) => fails).map(([, sentence]) => sentence);
}
