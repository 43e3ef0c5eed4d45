/** Reads a shared mailbox, labels, files, refunds, and hands the rest to colleagues as tickets. */
import { type Agent, asides, type Call, call } from '../agent.ts';
import type { Dice } from '../dice.ts';
import { colleagues, type Person, type Product, pence, people, pounds, products } from '../world.ts';

interface Message {
  id: string;
  from: Person;
  kind: 'invoice' | 'broken' | 'question' | 'newsletter';
  product: Product;
  order: string;
}

const subjects: Record<Message['kind'], (message: Message) => string> = {
  invoice: ({ product }) => `Invoice for a repair of your ${product.name}`,
  broken: ({ product }) => `My ${product.name} arrived broken`,
  question: ({ product }) => `Does the ${product.name} come in green?`,
  newsletter: ({ product }) => `This month: everything about the ${product.name}`,
};

const bodies: Record<Message['kind'], (message: Message) => string> = {
  invoice: ({ order }) => `Please find our repair invoice attached. Your reference is ${order}.`,
  broken: ({ order, from }) => `It was in pieces when I opened the parcel (order ${order}). Kind regards, ${from.name}`,
  question: ({ from }) => `I only see it in brown. If there is a green one I would take two. ${from.name}`,
  newsletter: () => 'Stories from the workshop, and a recipe. You get this because you signed up.',
};

export const inboxTriage: Agent = {
  name: 'inbox-triage',
  weight: 14,
  gapMs: [3_000, 16_000],
  stepUsd: [0.0004, 0.0021],
  *session(dice) {
    const messages = mailbox(dice);
    const helpers = colleagues(
      dice,
      messages.map(({ from }) => from),
      3,
    );
    const mailboxName = dice.pick(['support', 'orders', 'hello']);
    let unsorted = messages.length + dice.int(0, 3);
    const status = () => call('get_mailbox', { mailbox: mailboxName }, { mailbox: mailboxName, unsorted });
    yield status();
    yield call('list_messages', { mailbox: mailboxName, unsorted_only: true }, { messages: messages.map(summary) });
    const tickets: Ticket[] = [];
    for (const message of messages) {
      yield call(
        'read_message',
        { message_id: message.id },
        { ...summary(message), body: bodies[message.kind](message) },
      );
      for (const step of handle(dice, message, helpers, tickets)) {
        if (sorts(step)) unsorted--;
        yield step;
      }
      yield* asides(dice, 0.3);
      if (dice.chance(0.3)) yield status();
    }
    yield status();
    yield* followUp(dice, tickets);
  },
};

function mailbox(dice: Dice): Message[] {
  const kinds = [
    'broken',
    'invoice',
    ...dice.some(['broken', 'question', 'newsletter', 'question'] as const, dice.int(1, 4)),
  ] as const;
  const senders = dice.some(people, kinds.length);
  const wares = dice.some(products, kinds.length);
  return dice.some(kinds, kinds.length).map((kind, i) => ({
    id: dice.code('M-'),
    from: senders[i] as Person,
    kind,
    product: wares[i] as Product,
    order: dice.code('ORD-', 5),
  }));
}

function summary(message: Message) {
  return { message_id: message.id, sender: message.from.email, subject: subjects[message.kind](message) };
}

interface Ticket {
  id: string;
  message: Message;
  priority: string;
  assignee: Person;
}

function ticketCard({ id, message, priority, assignee }: Ticket, status: string) {
  return { ticket_id: id, order_id: message.order, priority, assignee: assignee.name, status };
}

function* handle(dice: Dice, message: Message, helpers: Person[], tickets: Ticket[]): Generator<Call> {
  switch (message.kind) {
    case 'newsletter':
      yield call('archive_message', { message_id: message.id }, { message_id: message.id, folder: 'archive' });
      return;
    case 'question':
      if (dice.chance(0.5)) yield label(message, 'pre-sales');
      return;
    case 'invoice':
      yield* fileInvoice(dice, message);
      return;
    case 'broken':
      yield* makeGood(dice, message, helpers, tickets);
  }
}

/** Labelled or archived, a message is out of the way. */
function sorts({ tool, response }: Call): boolean {
  return (
    (tool === 'label_message' || tool === 'archive_message') && !(typeof response === 'object' && 'error' in response)
  );
}

function label(message: Message, name: string): Call {
  return call('label_message', { message_id: message.id, label: name }, { message_id: message.id, labels: [name] });
}

/** The label that seems obvious does not exist here. */
function* fileInvoice(dice: Dice, message: Message): Generator<Call> {
  if (dice.chance(0.6)) {
    yield call(
      'label_message',
      { message_id: message.id, label: 'invoices' },
      { error: 'There is no label "invoices". Labels are kept by the bookkeeping team; ask list_labels.' },
    );
    yield call('list_labels', {}, { labels: ['bills-to-pay', 'pre-sales', 'complaints', 'private'] });
  }
  yield label(message, 'bills-to-pay');
}

/** A broken article is either paid back, at the price of its order, or becomes a ticket. */
function* makeGood(dice: Dice, message: Message, helpers: Person[], tickets: Ticket[]): Generator<Call> {
  const { order, product, from } = message;
  const items = dice.int(1, 2);
  const total = pounds(pence(product.price) * items);
  const card = { order_id: order, item: product.name, quantity: items, total, customer: from.email };
  yield call('get_order', { order_id: order }, { ...card, status: 'delivered' });
  yield call(
    'get_refund_policy',
    { item: product.name },
    `Broken on arrival: paid back in full within ${dice.pick([14, 30])} days.`,
  );
  if (dice.chance(0.5)) {
    yield call(
      'refund_order',
      { order_id: order, amount: total },
      { order_id: order, refund_id: dice.code('RF-'), amount: total },
    );
    yield* asides(dice, 0.6);
    yield call('get_order', { order_id: order }, { ...card, status: 'refunded' });
    return;
  }
  const ticket = {
    id: dice.code('TCK-'),
    message,
    priority: dice.pick(['normal', 'high']),
    assignee: dice.pick(helpers),
  };
  tickets.push(ticket);
  const wish = { order_id: order, priority: ticket.priority, reason: `broken ${product.name}` };
  yield call('create_ticket', wish, ticketCard(ticket, 'open'));
  yield label(message, 'complaints');
}

/** Towards the end the tickets are looked at again: some have moved on. */
function* followUp(dice: Dice, tickets: Ticket[]): Generator<Call> {
  for (const ticket of tickets) {
    yield call('get_ticket', { ticket_id: ticket.id }, ticketCard(ticket, 'open'));
    if (dice.chance(0.6)) {
      const text = `${ticket.message.product.name}: please send a new one`;
      yield call('comment_ticket', { ticket_id: ticket.id, text }, { ticket_id: ticket.id, comments: 1 });
      yield* asides(dice, 0.7);
      yield call(
        'get_ticket',
        { ticket_id: ticket.id },
        ticketCard(ticket, dice.pick(['in progress', 'waiting for stock'])),
      );
    }
  }
}
