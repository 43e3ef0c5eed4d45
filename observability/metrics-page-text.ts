/** What docs/metrics.md says beside what it lists. */

export const before = `# Metrics

\`npm run observability\` writes this page from \`src/metrics/definitions.ts\`, the dashboards and the rules: change those.

Every process that runs answers \`GET /metrics\` on \`metrics.host\` and \`metrics.port\`, by default
http://127.0.0.1:9464/metrics. All processes of one pipe belong into one job, since the dashboards and the rules take a job
for a pipe:

\`\`\`yaml
scrape_configs:
  - job_name: trajectory-compiler
    scrape_interval: 15s
    static_configs:
      - targets: [127.0.0.1:9464]
\`\`\`

\`deploy/prometheus\` has a whole configuration with recording rules and alerts, \`deploy/grafana\` the dashboards.

**Labels** have few values: what bounds them stands beside each. No label holds the id of a session, a trajectory, a pair or
a call, and there are no exemplars: metrics are kept and read in other places than the log, and must not tell whose
session they are about. Which session it was, the dataset tells.

**A restart** begins every counter at 0 again. \`rate()\` and \`increase()\` allow for that; the bare value of a counter says
nothing. Gauges of what lies on disk, at the broker or at the server (topics, budgets, sessions, files, the slot, the
dataset) are read before each scrape and go on where they were. A gauge that was never read, or that nobody can read just now
(the topics while the brokers are away, the budget while its database is), is absent, not 0; those of the slot stand still while the
server is away. A large dataset is counted in the background, so that its size may be some seconds old.

**Series** whose labels are known beforehand are there from the start, at 0. The others begin with their first event, and
\`increase()\` does not see what the first scrape of a series finds: sums of money over a time may miss a first call, the
budget’s gauges never do.

**Several processes** of a pipe each count their own work: sum counters. What every process of a data directory or of a
broker reads alike (depth and age of topics, dead letters, budgets, sizes of files, the dataset) is the same figure several
times: take \`max\`, never \`sum\`.`;

export const openTelemetry = [
  '## Names of OpenTelemetry',
  `The semantic conventions for generative AI have the status *Development*: names there may still change, so the names above
are the ones to rely on. Whoever translates them, in a collector for instance, finds here what they are called there.`,
  `Required there are \`gen_ai.operation.name\` (\`generate_content\` for \`gemini\` and \`vertex\`, \`chat\` for
\`openai-compatible\`), \`gen_ai.provider.name\` (label \`provider\`: \`gcp.gemini\`, \`gcp.vertex_ai\`; for others the provider’s
own name) and \`gen_ai.request.model\` (label \`model\`); recommended is \`gen_ai.response.model\`, which metrics here do not
tell and the calls in the dataset do. The labels \`stage\` and \`tier\` have no counterpart.`,
];
