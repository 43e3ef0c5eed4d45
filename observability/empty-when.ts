import { dashboards, panelsOf } from './dashboards.ts';

/** Why a query of a panel gives nothing although all is well, by `uid of the dashboard/title of the panel`. */
export const mayBeEmpty: Readonly<Record<string, string>> = Object.fromEntries(
  dashboards.flatMap((dashboard) =>
    panelsOf(dashboard).flatMap(({ title, emptyWhen }) =>
      emptyWhen === undefined ? [] : [[`${dashboard.uid}/${title}`, emptyWhen]],
    ),
  ),
);
