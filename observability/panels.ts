/** What a panel is, and how it becomes one of Grafana's: one look for all dashboards. */
import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

export type Color = 'green' | 'yellow' | 'orange' | 'red' | 'blue' | 'text';
/** From a value on, which color; the first holds below the second’s value. */
export type Steps = readonly [Color, ...[number, Color][]];

export interface Query {
  expr: string;
  /** As the dashboard’s reader sees it; `{{label}}` is replaced. */
  legend: string;
}

export interface PanelSource {
  title: string;
  /** One sentence: what it shows and when to worry. */
  description: string;
  /** Id of a unit of Grafana. */
  unit: string;
  /** Columns, of 24. */
  width: number;
  queries: readonly Query[];
  steps?: Steps;
  min?: number;
  max?: number;
  decimals?: number;
  /** What stands there instead of values. */
  noValue?: string;
  /** Dashboard that tells more. */
  more?: { uid: string; title: string };
  /** Why a query of it gives nothing although all is well; such a panel has `noValue`. */
  emptyWhen?: string;
}

export interface Panel extends PanelSource {
  build(gridPos: dashboard.GridPos): dashboard.Panel;
}

export const datasource: common.DataSourceRef = { type: 'prometheus', uid: `\${datasource}` };

/** Values over time. */
export function lines(source: PanelSource & { stacked?: boolean }): Panel {
  return panelOf(source, 'range', () => {
    const builder = drawn(source)
      .drawStyle(common.GraphDrawStyle.Line)
      .lineWidth(source.stacked ? 1 : 2)
      .fillOpacity(source.stacked ? 30 : 8)
      .spanNulls(90_000);
    if (source.stacked)
      builder.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A'));
    return builder;
  });
}

/** What happens rarely, over time: a bar for each interval in which something did. */
export function events(source: PanelSource): Panel {
  return panelOf({ min: 0, ...source }, 'events', () =>
    drawn(source)
      .drawStyle(common.GraphDrawStyle.Bars)
      .fillOpacity(60)
      .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A')),
  );
}

function drawn({ steps }: PanelSource) {
  const builder = new timeseries.PanelBuilder()
    .showPoints(common.VisibilityMode.Never)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending),
    );
  if (steps !== undefined)
    builder.thresholdsStyle(
      new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed),
    );
  return builder;
}

/** One figure, with its course behind it. */
export function figure(source: PanelSource): Panel {
  return panelOf(source, 'range', () => number(source).graphMode(common.BigValueGraphMode.Area));
}

/** One figure of the whole time that is shown, or of now, without a course. */
export function figureNow(source: PanelSource & { mappings?: Mappings }): Panel {
  return panelOf(source, 'instant', () => number(source).graphMode(common.BigValueGraphMode.None));
}

/** What there is rather than how much of it: the names of the series. */
export function names(source: PanelSource): Panel {
  return panelOf(source, 'instant', () =>
    number(source).graphMode(common.BigValueGraphMode.None).textMode(common.BigValueTextMode.Name),
  );
}

function number({ steps, queries }: PanelSource) {
  return new stat.PanelBuilder()
    .colorMode(steps === undefined ? common.BigValueColorMode.None : common.BigValueColorMode.Value)
    .textMode(queries.length > 1 ? common.BigValueTextMode.ValueAndName : common.BigValueTextMode.Auto)
    .reduceOptions(lastValue());
}

/** A bar for each series. */
export function bars(source: PanelSource): Panel {
  return panelOf({ min: 0, ...source }, 'instant', barGauge);
}

/** A bar for each bucket of a histogram; its legend has to be the bare bound, by which Grafana tells buckets apart. */
export function distribution(source: Omit<PanelSource, 'queries' | 'unit'> & { expr: string }): Panel {
  const { expr, ...rest } = source;
  return panelOf({ min: 0, ...rest, unit: 'short', queries: [{ expr, legend: '{{le}}' }] }, 'heatmap', () =>
    barGauge().orientation(common.VizOrientation.Vertical),
  );
}

function barGauge() {
  return new bargauge.PanelBuilder()
    .displayMode(common.BarGaugeDisplayMode.Basic)
    .valueMode(common.BarGaugeValueMode.Text)
    .orientation(common.VizOrientation.Horizontal)
    .showUnfilled(true)
    .reduceOptions(lastValue());
}

/** Text and color that stand for a number. */
export type Mappings = Readonly<Record<number, { text: string; color: Color }>>;

/** Which of a few states held when. */
export function states(source: PanelSource & { mappings: Mappings }): Panel {
  return panelOf(source, 'range', () =>
    new statetimeline.PanelBuilder()
      .showValue(common.VisibilityMode.Auto)
      .rowHeight(0.8)
      .fillOpacity(70)
      .mergeValues(true)
      .legend(new common.VizLegendOptionsBuilder().showLegend(false)),
  );
}

/** A line for each series, a column for each label that has a heading. */
export function rows(
  source: PanelSource & { columns: Readonly<Record<string, string>>; hidden: readonly string[] },
): Panel {
  const { columns, hidden } = source;
  return panelOf(source, 'table', () =>
    new table.PanelBuilder().withTransformation({
      id: 'organize',
      options: {
        excludeByName: Object.fromEntries(hidden.map((label) => [label, true])),
        indexByName: Object.fromEntries(Object.keys(columns).map((label, index) => [label, index])),
        renameByName: columns,
      },
    }),
  );
}

interface Dressable extends Builder<dashboard.Panel> {
  title(title: string): this;
  description(description: string): this;
  datasource(datasource: common.DataSourceRef): this;
  gridPos(gridPos: dashboard.GridPos): this;
  withTarget(target: Builder<Dataquery>): this;
  unit(unit: string): this;
  min(min: number): this;
  max(max: number): this;
  decimals(decimals: number): this;
  noValue(noValue: string): this;
  thresholds(thresholds: Builder<dashboard.ThresholdsConfig>): this;
  colorScheme(color: Builder<dashboard.FieldColor>): this;
  mappings(mappings: dashboard.ValueMapping[]): this;
  links(links: Builder<dashboard.DashboardLink>[]): this;
}

type Asked = 'range' | 'events' | 'instant' | 'table' | 'heatmap';

function panelOf(source: PanelSource & { mappings?: Mappings }, asked: Asked, start: () => Dressable): Panel {
  const { title, description, unit, queries, min, max, decimals, noValue, mappings, more } = source;
  const build = (gridPos: dashboard.GridPos) => {
    const builder = start().title(title).description(description).datasource(datasource).gridPos(gridPos).unit(unit);
    for (const [index, query] of queries.entries()) builder.withTarget(targetOf(query, index, asked));
    builder.thresholds(thresholdsOf(source.steps ?? ['blue']));
    if (min !== undefined) builder.min(min);
    if (max !== undefined) builder.max(max);
    if (decimals !== undefined) builder.decimals(decimals);
    if (noValue !== undefined) builder.noValue(noValue);
    if (mappings !== undefined) builder.mappings(mappingsOf(mappings));
    if (more !== undefined) builder.links([linkTo(more)]);
    return withVisibleLinks(builder.build());
  };
  return { ...source, build };
}

function linkTo({ uid, title }: NonNullable<PanelSource['more']>) {
  return new dashboard.DashboardLinkBuilder(title)
    .type(dashboard.DashboardLinkType.Link)
    .url(`/d/${uid}?\${__url_time_range}&\${__all_variables}`);
}

/** The place that a link has by itself is in a menu, which older versions of Grafana do not have. */
export function withVisibleLinks<D extends { links?: dashboard.DashboardLink[] }>(linked: D): D {
  for (const link of linked.links ?? []) Reflect.deleteProperty(link, 'placement');
  return linked;
}

function targetOf({ expr, legend }: Query, index: number, asked: Asked) {
  const target = new prometheus.DataqueryBuilder()
    .refId(String.fromCharCode('A'.charCodeAt(0) + index))
    .datasource(datasource)
    .editorMode(prometheus.QueryEditorMode.Code)
    .expr(expr)
    .legendFormat(legend);
  if (asked === 'range') return target.range();
  // Wide beside the time between scrapes, so that hardly an event falls into two intervals.
  if (asked === 'events') return target.range().interval('2m');
  target.instant();
  if (asked === 'table') target.format(prometheus.PromQueryFormat.Table);
  if (asked === 'heatmap') target.format(prometheus.PromQueryFormat.Heatmap);
  return target;
}

function thresholdsOf([below, ...steps]: Steps) {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([{ value: null, color: below }, ...steps.map(([value, color]) => ({ value, color }))]);
}

function mappingsOf(mappings: Mappings): dashboard.ValueMapping[] {
  const options = Object.entries(mappings).map(([value, { text, color }], index) => [value, { text, color, index }]);
  return [{ type: dashboard.MappingType.ValueToText, options: Object.fromEntries(options) } as dashboard.ValueMap];
}

function lastValue() {
  return new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false);
}
