/** Answers the line of a small broadband provider: finds the caller, measures, mends, charges. */
import { type Agent, asides, type Call, call } from '../agent.ts';
import type { Dice } from '../dice.ts';
import { clock, type Person, pence, people, pounds, weekdays } from '../world.ts';

interface Line {
  id: string;
  router: string;
  mbps: number;
  fault: Fault;
}

/** What slows a line down, how it shows on the router, and which tool ends it. */
interface Fault {
  setting: 'vpn' | 'channel' | 'firmware' | 'power_saving';
  bad: string;
  good: string;
  tool: string;
  argument: Record<string, string>;
}

const faults: readonly Fault[] = [
  { setting: 'vpn', bad: 'connected', good: 'disconnected', tool: 'disconnect_vpn', argument: {} },
  { setting: 'channel', bad: '1', good: '11', tool: 'set_wifi_channel', argument: { channel: '11' } },
  { setting: 'firmware', bad: '4.0.2', good: '4.1.0', tool: 'update_firmware', argument: { version: '4.1.0' } },
  { setting: 'power_saving', bad: 'on', good: 'off', tool: 'set_power_saving', argument: { power_saving: 'off' } },
];

const extras = [
  { item: 'mesh repeater', price: '39.90' },
  { item: 'static address', price: '4.50' },
  { item: 'engineer visit', price: '55.00' },
  { item: 'second phone number', price: '2.75' },
] as const;

export const phone: Agent = {
  name: 'phone',
  weight: 14,
  gapMs: [2_500, 13_000],
  stepUsd: [0.0008, 0.0035],
  *session(dice) {
    const caller = dice.pick(people);
    const customer = dice.code('C-', 5);
    const line: Line = {
      id: dice.code('L-'),
      router: dice.code('R-'),
      mbps: dice.int(120, 900) / 10,
      fault: dice.pick(faults),
    };
    yield* identify(dice, caller, customer, line);
    yield* asides(dice, 0.3);
    if (dice.chance(0.35)) yield* dispute(dice, customer);
    else yield* mend(dice, line);
    if (dice.chance(0.7)) yield* sell(dice, customer);
    if (dice.chance(0.5)) yield* visit(dice, customer, caller);
    yield call(
      'close_call',
      { customer_id: customer },
      { customer_id: customer, outcome: 'solved', rating: dice.int(3, 5) },
    );
  },
};

/** A number taken down wrongly finds nobody. */
function* identify(dice: Dice, caller: Person, customer: string, line: Line): Generator<Call> {
  yield call('answer_call', { queue: 'broadband' }, { greeting: 'Good day. It is about my broadband.' });
  if (dice.chance(0.5)) {
    const misheard = `${caller.phone.slice(0, -1)}${(Number(caller.phone.at(-1)) + dice.int(1, 9)) % 10}`;
    yield call('find_customer', { phone_number: misheard }, { error: `No customer has the number ${misheard}.` });
    yield call('say', { text: 'Could you repeat your number?' }, `Sure: ${caller.phone}.`);
  }
  const found = { customer_id: customer, name: caller.name, city: caller.city, line_id: line.id };
  yield call('find_customer', { phone_number: caller.phone }, found);
  yield call('get_line', { line_id: line.id }, { line_id: line.id, router_id: line.router, plan: 'Copper 300' });
}

function routerCall(line: Line, state: string): Call {
  return call(
    'get_router',
    { router_id: line.router },
    { router_id: line.router, [line.fault.setting]: state, model: 'Heron 2' },
  );
}

function speedTest({ id, mbps }: Line): Call {
  return call(
    'run_speed_test',
    { line_id: id },
    `Download: ${mbps.toFixed(2)} Mbps\nUpload: ${(mbps / 8).toFixed(2)} Mbps`,
  );
}

/** A restart changes nothing or little; the true cause makes the line fast. */
function* mend(dice: Dice, line: Line): Generator<Call> {
  yield speedTest(line);
  yield* asides(dice, 0.3);
  if (dice.chance(0.5)) {
    yield call('restart_router', { router_id: line.router }, { router_id: line.router, uptime_s: dice.int(20, 50) });
    yield speedTest(line);
  }
  const { tool, argument, setting, bad, good } = line.fault;
  yield routerCall(line, bad);
  if (setting === 'firmware' && dice.chance(0.7)) {
    const refusal = { error: 'Version 4.2.0 is not released for model Heron 2; the newest is 4.1.0.' };
    yield call(tool, { router_id: line.router, version: '4.2.0' }, refusal);
    yield* asides(dice, 0.4);
  }
  yield call(tool, { router_id: line.router, ...argument }, { router_id: line.router, done: true });
  yield call('say', { text: 'Please wait a moment. Is the light steady?' }, 'Now it is.');
  line.mbps = Math.round(line.mbps * dice.int(25, 80)) / 10;
  yield speedTest(line);
  yield routerCall(line, good);
}

/** A bill that is too high, because of an item that nobody ordered: struck off, and the bill is read again. */
function* dispute(dice: Dice, customer: string): Generator<Call> {
  const bill = dice.code('BL-', 5);
  const wrong = dice.pick(extras);
  const rent = dice.int(2_400, 4_800);
  const items = [
    ...dice.some(
      extras.filter((one) => one !== wrong),
      1,
    ),
    wrong,
  ];
  const billCall = (total: number) =>
    call('get_bill', { bill_id: bill }, { bill_id: bill, customer_id: customer, total: pounds(total) });
  const sum = rent + items.reduce((total, { price }) => total + pence(price), 0);
  yield call('list_bills', { customer_id: customer }, { bills: [bill, dice.code('BL-', 5)] });
  yield billCall(sum);
  yield call('list_bill_items', { bill_id: bill }, { rent: pounds(rent), extras: items.map((one) => ({ ...one })) });
  yield call('say', { text: 'Did you order all of these extras?' }, `I never asked for the ${wrong.item}.`);
  yield call('remove_item', { item: wrong.item, bill_id: bill }, { bill_id: bill, removed: true });
  yield* asides(dice, 0.3);
  yield call('say', { text: 'I have struck it off.' }, 'Thank you. What do I owe you now?');
  yield billCall(sum - pence(wrong.price));
}

/** The price that was read is the price that is charged, and the balance shows it. */
function* sell(dice: Dice, customer: string): Generator<Call> {
  let balance = dice.int(6_000, 12_000);
  const account = () =>
    call('get_account', { customer_id: customer }, { customer_id: customer, balance: pounds(balance) });
  yield account();
  for (const { item, price } of dice.some(extras, 2)) yield call('get_price', { item }, { item, price });
  const bought = dice.pick(extras);
  yield call('say', { text: 'Which of the two would you like?' }, `The ${bought.item}, please.`);
  yield call('get_price', { item: bought.item }, { item: bought.item, price: bought.price });
  yield* asides(dice, 0.6);
  balance -= pence(bought.price);
  yield call(
    'charge_account',
    { customer_id: customer, amount: bought.price },
    { customer_id: customer, charge_id: dice.code('CH-', 5), amount: bought.price },
  );
  yield account();
}

function* visit(dice: Dice, customer: string, caller: Person): Generator<Call> {
  const [taken, free] = dice.some(weekdays, 2) as [string, string];
  const at = clock(60 * dice.int(8, 16));
  const wish = { customer_id: customer, city: caller.city, time: at };
  yield call('book_engineer', { ...wish, day: taken }, { error: `No engineer is free in ${caller.city} on ${taken}.` });
  yield call('list_free_days', { city: caller.city }, { city: caller.city, free_days: [free] });
  yield call('book_engineer', { ...wish, day: free }, { visit_id: dice.code('V-'), day: free, time: at });
}
