/** Keeps a household's or a shop's to-do list: adds, moves, completes, and mistakes an id now and then. */
import { type Agent, asides, type Call, call } from '../agent.ts';
import type { Dice } from '../dice.ts';
import { firms, people, weekdays } from '../world.ts';

interface Todo {
  id: string;
  title: string;
  due: string;
  owner: string;
  status: 'open' | 'blocked' | 'done';
}

const chores = [
  'order new delivery boxes',
  'renew the fire insurance',
  'water the plants in the shop window',
  'send the tax papers to the bookkeeper',
  'repair the back door',
  'photograph the autumn stock',
  'call the landlord about the boiler',
  'print the price list',
  'book the van for the fair',
] as const;

export const todos: Agent = {
  name: 'todos',
  weight: 14,
  gapMs: [3_000, 14_000],
  stepUsd: [0.0002, 0.0012],
  *session(dice) {
    const list = dice.pick(firms);
    const owners = dice.some(people, 3).map(({ name }) => name);
    const items = dice.some(chores, dice.int(5, 7)).map(
      (title): Todo => ({
        id: dice.code('T-'),
        title,
        due: dice.pick(weekdays),
        owner: dice.pick(owners),
        status: 'open',
      }),
    );
    const summary = () => {
      const open = items.filter(({ status }) => status !== 'done').length;
      return call('get_list', { list }, { list, open, done: items.length - open });
    };
    yield summary();
    yield call('list_todos', { list }, { todos: items.map(({ id, title }) => ({ todo_id: id, title })) });
    for (const item of items) yield show(item);
    yield* asides(dice, 0.5);
    yield* tickOff(dice, dice.pick(items), summary);
    yield* plan(dice, items, owners);
    yield summary();
    yield* asides(dice, 0.3);
    const added = yield* addLike(dice, items);
    items.push(added);
    yield show(added);
    yield summary();
  },
};

function card({ id, title, due, owner, status }: Todo) {
  return { todo_id: id, title, due_day: due, owner, status };
}

function show(item: Todo): Call {
  return call('get_todo', { todo_id: item.id }, card(item));
}

/** One is done at once, and the list is looked at before anything else is touched. */
function* tickOff(dice: Dice, item: Todo, summary: () => Call): Generator<Call> {
  yield* close(dice, item);
  yield call('list_reminders', { scope: 'mine' }, { reminders: [], note: 'nothing due' });
  yield summary();
}

/** Each of some items is changed in its own way; the others are left as they are. */
function* plan(dice: Dice, items: Todo[], owners: string[]): Generator<Call> {
  const touched = dice.some(
    items.filter(({ status }) => status === 'open'),
    items.length - dice.int(2, 3),
  );
  for (const item of touched) {
    switch (dice.int(0, 3)) {
      case 0:
        yield* close(dice, item);
        break;
      case 1:
        item.due = dice.pick(weekdays.filter((day) => day !== item.due));
        yield call('update_todo', { todo_id: item.id, due_day: item.due }, card(item));
        break;
      case 2:
        item.owner = dice.pick(owners.filter((owner) => owner !== item.owner));
        yield call('update_todo', { todo_id: item.id, owner: item.owner }, card(item));
        break;
      default:
        item.status = 'blocked';
        yield call('update_todo', { todo_id: item.id, status: 'blocked' }, card(item));
        yield* asides(dice, 0.5);
        if (dice.chance(0.4)) yield* close(dice, item);
    }
    yield* asides(dice, 0.3);
  }
  for (const item of dice.some(touched, 2)) yield show(item);
}

/** Two digits of an id are easily swapped. */
function* close(dice: Dice, item: Todo): Generator<Call> {
  const wrong = `${item.id.slice(0, -2)}${item.id.at(-1)}${item.id.at(-2)}`;
  if (wrong !== item.id && dice.chance(0.4)) {
    yield call('close_todo', { todo_id: wrong }, { error: `No to-do ${wrong} on this list.` });
    yield call('search_todos', { text: item.title }, { todos: [{ todo_id: item.id, title: item.title }] });
  }
  item.status = 'done';
  yield call('close_todo', { todo_id: item.id }, card(item));
}

/** A new item takes over the owner of one that was read long before. */
function* addLike(dice: Dice, items: Todo[]): Generator<Call, Todo> {
  const model = dice.pick(items);
  const due = dice.pick(weekdays);
  const added: Todo = { id: dice.code('T-'), title: `check: ${model.title}`, due, owner: model.owner, status: 'open' };
  yield call('add_todo', { title: added.title, due_day: due, owner: model.owner, after: model.id }, card(added));
  return added;
}
