/** Metrics that are on no dashboard on purpose, each with the reason. */

export interface Absent {
  /** A name, or the pattern of several. */
  metrics: RegExp;
  because: string;
}

export const absent: readonly Absent[] = [
  {
    metrics: /^process_cpu_(user|system)_seconds_total$/,
    because: 'the two halves of process_cpu_seconds_total, which is shown',
  },
  {
    metrics: /^process_(virtual_memory|heap)_bytes$/,
    because: 'says nothing of a Node.js process that resident memory and the heap in use do not',
  },
  {
    metrics: /^process_(open|max)_fds$/,
    because: 'connections and files are few and fixed; for looking into a leak',
  },
  {
    metrics: /^nodejs_eventloop_lag_((min|max|mean|stddev|p50|p90)_)?seconds$/,
    because: 'the 99th percentile is shown, and tells first',
  },
  {
    metrics: /^nodejs_active_(resources|handles|requests)(_total)?$/,
    because: 'for looking into a leak',
  },
  {
    metrics: /^nodejs_(heap_size_total|external_memory)_bytes$/,
    because: 'the heap in use and resident memory are shown',
  },
  {
    metrics: /^nodejs_heap_space_size_(total|used|available)_bytes$/,
    because: 'parts of the heap; for looking into a leak',
  },
  { metrics: /^nodejs_gc_duration_seconds$/, because: 'shows in the lag of the event loop where it matters' },
  { metrics: /^nodejs_version_info$/, because: 'tc_build_info has the version of Node.js beside that of this program' },
];
