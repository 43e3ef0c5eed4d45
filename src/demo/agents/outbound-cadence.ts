/** Writes to leads at an hour that is decent where they live, within a daily limit, and minds who answered. */
import { type Agent, asides, type Call, call } from '../agent.ts';
import type { Dice } from '../dice.ts';
import { clock, firms, type Person, people, weekdays } from '../world.ts';

interface Lead {
  id: string;
  person: Person;
  firm: string;
  stage: 'new' | 'scheduled' | 'replied' | 'paused' | 'bounced';
}

export const outboundCadence: Agent = {
  name: 'outbound-cadence',
  weight: 12,
  gapMs: [3_000, 17_000],
  stepUsd: [0.0006, 0.0031],
  *session(dice) {
    const cadence = dice.pick(['spring catalogue', 'trade fair follow-up', 'wholesale offer']);
    const leads = leadsOf(dice);
    const limit = dice.int(20, 40);
    let left = dice.int(leads.length, limit - 5);
    const quota = () => call('get_send_quota', { cadence }, { cadence, daily_limit: limit, sends_left: left });
    yield call('list_leads', { cadence }, { leads: leads.map(({ id, firm }) => ({ lead_id: id, company: firm })) });
    yield quota();
    const day = dice.pick(weekdays);
    const notes = dice.pick(['no holidays', 'market day', 'office closed after four']);
    const chosen = dice.some(leads, leads.length - 1);
    for (const lead of leads) {
      yield show(lead);
      yield* asides(dice, 0.3);
      if (!chosen.includes(lead)) continue;
      yield* schedule(dice, cadence, lead, day);
      left--;
      yield call('get_calendar', { day }, { day, notes });
      if (dice.chance(0.5)) yield show(lead);
    }
    yield quota();
    for (const lead of dice.some(chosen, 2)) yield show(lead);
    yield* replies(dice, cadence, chosen);
    for (const lead of dice.some(chosen, 2)) yield show(lead);
  },
};

function leadsOf(dice: Dice): Lead[] {
  const persons = dice.some(people, dice.int(4, 5));
  const companies = dice.some(firms, persons.length);
  return persons.map((person, i) => ({ id: dice.code('LD-'), person, firm: companies[i] as string, stage: 'new' }));
}

function show({ id, person, firm, stage }: Lead): Call {
  return call(
    'get_lead',
    { lead_id: id },
    { lead_id: id, name: person.name, company: firm, email: person.email, time_zone: person.zone, stage },
  );
}

/** A slot in the lead's own morning; a first idea in the agent's hours is refused as night time. */
function* schedule(dice: Dice, cadence: string, lead: Lead, day: string): Generator<Call> {
  const local = dice.pick([9 * 60 + 30, 10 * 60, 10 * 60 + 45, 11 * 60 + 15]);
  const utc = local - lead.person.utcOffset * 60;
  const args = (minutes: number) => ({ slot: `${clock(minutes)} UTC`, day, lead_id: lead.id, cadence });
  const naive = 9 * 60;
  const nightThere = naive + lead.person.utcOffset * 60;
  if ((nightThere < 7 * 60 || nightThere > 19 * 60 - 60) && dice.chance(0.8)) {
    yield call('schedule_email', args(naive), {
      error: `09:00 UTC is ${clock(nightThere)} in ${lead.person.zone}: outside 08:00-18:00 of the recipient.`,
    });
  }
  yield call('lookup_time', { local_time: clock(local), time_zone: lead.person.zone }, { slot: `${clock(utc)} UTC` });
  lead.stage = 'scheduled';
  yield call('schedule_email', args(utc), { lead_id: lead.id, email_id: dice.code('EM-', 5), status: 'scheduled' });
}

function* replies(dice: Dice, cadence: string, leads: Lead[]): Generator<Call> {
  const answered = dice.pick(leads);
  const wish = dice.pick(['pause', 'call', 'bounce']);
  const from = answered.person.email;
  switch (wish) {
    case 'pause':
      yield call(
        'read_reply',
        { lead_id: answered.id },
        { from, text: 'Thank you, but please write again next season.' },
      );
      answered.stage = 'paused';
      yield call('pause_cadence', { lead_id: answered.id, cadence }, { lead_id: answered.id, stage: 'paused' });
      break;
    case 'call':
      yield call(
        'read_reply',
        { lead_id: answered.id },
        { from, text: `Gladly. Please ring ${answered.person.phone}.` },
      );
      answered.stage = 'replied';
      yield* asides(dice, 0.6);
      yield call(
        'book_call',
        { lead_id: answered.id, phone: answered.person.phone, day: dice.pick(weekdays) },
        { lead_id: answered.id, stage: 'replied', call_id: dice.code('CL-') },
      );
      break;
    default:
      yield call(
        'read_reply',
        { lead_id: answered.id },
        { from: 'postmaster@example.com', text: `550 No mailbox ${from}` },
      );
      answered.stage = 'bounced';
      yield call('update_lead', { lead_id: answered.id, stage: 'bounced' }, { lead_id: answered.id, stage: 'bounced' });
  }
  yield show(answered);
}
