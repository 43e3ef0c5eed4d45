/** What the first word of a tool's name says about what the call does, and how English puts it. */

const reading =
  'check get fetch read view list find search lookup look query describe show inspect test measure calculate compute ' +
  'count verify validate can is has cat grep decompile browse visit scan monitor poll status diagnose preview ' +
  'compare analyze analyse retrieve summarize watch ping resolve explain detect evaluate score';

const changing =
  'add append apply approve archive assign attach block book bookmark buy cancel change charge clear close commit confirm ' +
  'connect copy create decline delete deploy disable disconnect dismiss dispatch drop edit enable end escalate exchange ' +
  'file grant hide import insert install invite issue kill label link lock log mark merge migrate modify move mute order ' +
  'patch pause pay post provision publish purchase push put reactivate reboot refuel refund register reject release ' +
  'remove rename renew reorder replace reply reschedule reseat reserve reset resolve restart restore resume retry return ' +
  'revoke roll rotate save schedule send set share ship sign snooze start stop submit subscribe suspend swap switch ' +
  'terminate toggle transfer trigger undo unblock uninstall unlink unlock unmute unsubscribe update upgrade upload upsert ' +
  'withdraw write str ' +
  'accept activate adjust admit allocate amend append authorize backup ban bill bump calibrate clean clone configure ' +
  'consolidate convert deactivate decrease demote deny deposit detach downgrade draft duplicate eject empty enqueue ' +
  'enroll erase evict extend flag flush forward freeze generate ignite increase initialize invoice join launch ' +
  'leave lower migrate mint notify pin power promote provision prune purge queue quarantine raise reassign ' +
  'rebuild recall reconnect redirect redeem refill reindex relabel reload relocate remind reopen repair reroute rerun ' +
  'resize retire revert rewrite scale schedule seal shut sync tag tighten trade trim turn tweak unassign unfreeze ' +
  'unpublish vacuum void wipe comment';

const readingVerbs = new Set(reading.split(' '));
const changingVerbs = new Set(changing.split(' '));

/** Past participles that do not follow the rule. */
const irregular: Record<string, string> = {
  buy: 'bought',
  choose: 'chosen',
  cut: 'cut',
  do: 'done',
  drop: 'dropped',
  find: 'found',
  get: 'fetched',
  hide: 'hidden',
  label: 'labelled',
  make: 'made',
  pay: 'paid',
  put: 'put',
  read: 'read',
  refuel: 'refuelled',
  reset: 'reset',
  run: 'run',
  send: 'sent',
  set: 'set',
  ship: 'shipped',
  shut: 'shut',
  freeze: 'frozen',
  leave: 'left',
  rebuild: 'rebuilt',
  rerun: 'rerun',
  rewrite: 'rewritten',
  trim: 'trimmed',
  ban: 'banned',
  pin: 'pinned',
  flag: 'flagged',
  tag: 'tagged',
  stop: 'stopped',
  swap: 'swapped',
  take: 'taken',
  undo: 'undone',
  withdraw: 'withdrawn',
  write: 'written',
  commit: 'committed',
  comment: 'commented on',
  transfer: 'transferred',
  submit: 'submitted',
  cancel: 'cancelled',
  log: 'logged',
};

export function isReadingVerb(word: string): boolean {
  return readingVerbs.has(word);
}

export function isChangingVerb(word: string): boolean {
  return changingVerbs.has(word);
}

export function participle(verb: string): string {
  const known = irregular[verb];
  if (known !== undefined) return known;
  if (verb.endsWith('e')) return `${verb}d`;
  if (/[^aeiou]y$/.test(verb)) return `${verb.slice(0, -1)}ied`;
  return `${verb}ed`;
}

/** `send` → "sending". */
export function gerund(verb: string): string {
  if (/^(get|set|put|cut|run|stop|swap|plan|log)$/.test(verb)) return `${verb}${verb.at(-1)}ing`;
  return verb.endsWith('e') && !verb.endsWith('ee') ? `${verb.slice(0, -1)}ing` : `${verb}ing`;
}
