/**
 * Each connection of kafkajs 2.2.4 looks for requests that wait, every millisecond, for as long as it is open, and passes
 * a negative delay to do so, of which newer Node warns. An idle process with three connections took 3.0 % of a core, and
 * 0.9 % when they look only while something waits (10 s of `process.cpuUsage`, Node 20). Nothing else depends on it: what
 * is sent later starts a look of its own.
 */
import { createRequire } from 'node:module';

interface Queue {
  pending: unknown[];
  scheduleCheckPendingRequests(): void;
}

const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as { prototype: Queue };
const look = prototype.scheduleCheckPendingRequests;

prototype.scheduleCheckPendingRequests = function (this: Queue) {
  if (this.pending.length > 0) look.call(this);
};
