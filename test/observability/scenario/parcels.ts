/**
 * Sessions whose questions are known beforehand: a parcel is weighed, moved about, and weighed again. What comes of a
 * session is told by the number of its parcel.
 */

/** What is to become of a session, and the thousands of its parcel's number. */
export const lanes = {
  /** Its pair passes gates and verifier. */
  passes: 1,
  /** The verifier finds that one turn is enough. */
  easy: 2,
  /** The verifier finds that the turns do not say so. */
  unsupported: 3,
  /** Every pair is refused by a gate. */
  refused: 4,
  /** The model refuses the request: a dead letter. */
  parked: 5,
  /** What the verifier answers can't be read. */
  unreadable: 6,
  /** The model asks for fewer calls for so long that compiling waits. */
  patient: 7,
} as const;
export type Lane = keyof typeof lanes;

export interface Parcel {
  id: string;
  lane: Lane;
  first: string;
  second: string;
}

/** Who owns them: nothing of it may be seen outside the audit log. */
export const owner = {
  name: 'Ottilie Brandvold',
  email: 'ottilie.brandvold@mail.example.org',
  phone: '+44 7700 900 982',
  card: '4111 1111 1111 1111',
  iban: 'DE89 3704 0044 0532 0130 00',
} as const;

export function parcelOf(lane: Lane, nth: number): Parcel {
  const number = lanes[lane] * 1000 + nth;
  return { id: `PX-${number}`, lane, first: `${number % 97}.5 kg`, second: `${(number % 97) + 3}.0 kg` };
}

/** The parcel that a text is about; null for none. */
export function parcelIn(text: string): Parcel | null {
  const number = Number(/\bPX-(\d{4})\b/.exec(text)?.[1] ?? Number.NaN);
  const lane = Object.entries(lanes).find(([, thousands]) => thousands === Math.floor(number / 1000))?.[0];
  return lane === undefined ? null : parcelOf(lane as Lane, number % 1000);
}

export const sessionOf = ({ id }: Parcel) => `depot-session-of-${id.toLowerCase()}`;

/** The turns that weigh it. */
const [firstWeighing, secondWeighing] = [2, 9] as const;
const turns = 12;

/** Rows of its session, in their order, as columns of the audit log. */
export function rowsOf(parcel: Parcel): Record<'session_id' | 'agent' | 'tool' | 'arguments' | 'response', string>[] {
  return Array.from({ length: turns }, (_, nth) => ({
    session_id: sessionOf(parcel),
    agent: `depot-${parcel.lane}`,
    tool: nth === firstWeighing || nth === secondWeighing ? 'weigh_parcel' : `move_parcel_${parcel.lane}`,
    arguments: JSON.stringify({ parcel: parcel.id }),
    response: JSON.stringify(responseOf(parcel, nth)),
  }));
}

function responseOf({ first, second }: Parcel, nth: number): object {
  if (nth === 0) return { owner };
  if (nth === firstWeighing) return { weight: first };
  return nth === secondWeighing ? { weight: second } : { shelf: `aisle ${nth}` };
}

/** The pair that the model writes about it. */
export function pairAbout({ id, first, second }: Parcel) {
  return {
    evidence: [
      { turn: firstWeighing, quote: `weight: ${first}` },
      { turn: secondWeighing, quote: `weight: ${second}` },
    ],
    question: `What did parcel ${id} weigh at its first weighing, and what at its second?`,
    answer: `${first} at first, ${second} at the second.`,
    qa_type: 'temporal',
  };
}

/** Pairs that no gate lets through, each for another reason. */
export function refusedPairsAbout(parcel: Parcel): object[] {
  const good = pairAbout(parcel);
  const [weighed] = good.evidence;
  return [
    { ...good, evidence: [weighed] },
    { ...good, evidence: [weighed, { turn: 3, quote: 'shelf: aisle 3' }] },
    { ...good, evidence: [weighed, { turn: secondWeighing, quote: 'weight: none at all' }] },
    { question: good.question },
  ];
}
