/** All dashboards, and what is told of them. */
import type { DashboardSource } from './dashboard.ts';
import { capture } from './dashboards/capture.ts';
import { compileQuality } from './dashboards/compile-quality.ts';
import { cost } from './dashboards/cost.ts';
import { overview } from './dashboards/overview.ts';
import { sinksAndTopics } from './dashboards/sinks-and-topics.ts';
import type { Panel } from './panels.ts';

export const dashboards: readonly DashboardSource[] = [overview, cost, capture, compileQuality, sinksAndTopics];

export function panelsOf({ rows }: DashboardSource): Panel[] {
  return rows.flatMap(({ lines }) => lines.flatMap(({ panels }) => panels));
}
