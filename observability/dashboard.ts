/** A dashboard as it is written here, and as Grafana reads it. */
import * as grafana from '@grafana/grafana-foundation-sdk/dashboard';
import { definitions } from '../src/metrics/definitions.ts';
import { datasource, type Panel, withVisibleLinks } from './panels.ts';
import { named } from './queries.ts';

export interface DashboardSource {
  /** Never changes: links and provisioning know it. */
  uid: string;
  title: string;
  description: string;
  rows: readonly Row[];
}

export interface Row {
  title: string;
  /** Each line of panels under it has one height, and fits 24 columns. */
  lines: readonly { height: number; panels: readonly Panel[] }[];
}

const tag = 'trajectory-compiler';

export function render(source: DashboardSource): grafana.Dashboard {
  const builder = new grafana.DashboardBuilder(`Trajectory compiler: ${source.title}`)
    .uid(source.uid)
    .description(source.description)
    .tags([tag])
    .editable()
    .timezone('browser')
    .tooltip(grafana.DashboardCursorSync.Crosshair)
    .time({ from: 'now-6h', to: 'now' })
    .refresh('30s')
    .link(
      new grafana.DashboardLinkBuilder('Dashboards')
        .type(grafana.DashboardLinkType.Dashboards)
        .tags([tag])
        .icon('external link')
        .includeVars(true)
        .keepTime(true),
    )
    .variables(variables())
    .annotation(restarts());
  const dashboard = builder.build();
  dashboard.panels = placed(source.rows);
  return withVisibleLinks(dashboard);
}

function variables() {
  const { name } = definitions.buildInfo;
  return [
    new grafana.DatasourceVariableBuilder('datasource')
      .label('Data source')
      .type('prometheus')
      .current({ text: 'Prometheus', value: 'prometheus' }),
    new grafana.QueryVariableBuilder('job')
      .label('Job')
      .datasource(datasource)
      .query(`label_values(${name}, job)`)
      .refresh(grafana.VariableRefresh.OnTimeRangeChanged)
      .sort(grafana.VariableSort.AlphabeticalAsc),
    new grafana.QueryVariableBuilder('instance')
      .label('Instance')
      .datasource(datasource)
      .query(`label_values(${name}{job=~"$job"}, instance)`)
      .refresh(grafana.VariableRefresh.OnTimeRangeChanged)
      .sort(grafana.VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      .allValue('.*')
      .current({ text: ['All'], value: ['$__all'] }),
  ];
}

/** After a restart counters begin at 0 again and gauges have a gap: a mark says why. */
function restarts() {
  return new grafana.AnnotationQueryBuilder()
    .name('Restarts')
    .datasource(datasource)
    .enable(true)
    .iconColor('blue')
    .expr(`changes(${named('process_start_time_seconds')}[$__rate_interval]) > 0`)
    .titleFormat('Restart')
    .textFormat('{{instance}}');
}

type Placed = NonNullable<grafana.Dashboard['panels']>;

function placed(rows: readonly Row[]): Placed {
  const panels: Placed = [];
  let y = 0;
  for (const { title, lines } of rows) {
    const row = new grafana.RowBuilder(title).gridPos({ x: 0, y, w: 24, h: 1 }).build();
    // Grafana numbers panels itself.
    Reflect.deleteProperty(row, 'id');
    panels.push(row);
    y += 1;
    for (const { height, panels: beside } of lines) {
      let x = 0;
      for (const panel of beside) {
        panels.push(panel.build({ x, y, w: panel.width, h: height }));
        x += panel.width;
      }
      y += height;
    }
  }
  return panels;
}
