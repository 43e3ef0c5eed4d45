/** The questions as a terminal puts them: keys go in, and what is drawn is not looked at but for what must not be there. */
import { getEventListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { askOnTerminal } from '../../src/init/terminal-ask.ts';

const enter = '\r';
const down = '\u001b[B';

function terminal() {
  const input = new PassThrough();
  const output = new PassThrough();
  let drawn = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    drawn += text;
  });
  const stop = new AbortController();
  const ask = askOnTerminal(input, output, stop.signal);
  /** The keys are read once the question is drawn. */
  const press = (...keys: string[]) => {
    for (const key of keys) input.write(key);
  };
  return { ask, press, stop, drawn: () => drawn };
}

test('text is taken as it is typed, without blanks around it', async () => {
  const { ask, press } = terminal();
  const answer = ask.text({ message: 'name' });
  press(' ', 'a', 'b', ' ', enter);
  expect(await answer).toBe('ab');
});

test('an answer that is refused is asked for again', async () => {
  const { ask, press, drawn } = terminal();
  const answer = ask.text({ message: 'n', refuse: (text) => (text === '42' ? undefined : 'it must be 42') });
  press('4', enter, '2', enter);
  expect(await answer).toBe('42');
  expect(drawn()).toContain('it must be 42');
});

test('nothing typed is an empty answer', async () => {
  const { ask, press } = terminal();
  const answer = ask.text({ message: 'n' });
  press(enter);
  expect(await answer).toBe('');
});

test('what is hidden is not drawn', async () => {
  const { ask, press, drawn } = terminal();
  const answer = ask.hidden('password');
  press(...'not-a-real-one', enter);
  expect(await answer).toBe('not-a-real-one');
  expect(drawn()).not.toContain('not-a');
});

test('a choice begins at what is so already, and goes by the arrows', async () => {
  const { ask, press } = terminal();
  const choices = [null, 'a', 'b'].map((value) => ({ value, label: String(value) }));
  const same = ask.choose('which', choices, 'a');
  press(enter);
  expect(await same).toBe('a');
  const next = ask.choose('which', choices, 'a');
  press(down, enter);
  expect(await next).toBe('b');
  const first = ask.choose('which', choices);
  press(enter);
  expect(await first).toBeNull();
});

test.each([
  ['Ctrl-C', '\u0003'],
  ['Escape', '\u001b'],
])('%s ends the questions', async (_, key) => {
  const { ask, press } = terminal();
  const answer = ask.confirm('go on?');
  press(key);
  await expect(answer).rejects.toMatchObject({ code: 'cancelled', exitCode: 1 });
});

test('a signal ends the question that is asked, and those that would follow', async () => {
  const { ask, stop } = terminal();
  const answer = ask.text({ message: 'name' });
  stop.abort();
  await expect(answer).rejects.toMatchObject({ code: 'cancelled' });
  await expect(ask.confirm('go on?')).rejects.toMatchObject({ code: 'cancelled' });
});

test('an answered question listens to no signal any more', async () => {
  const { ask, press, stop } = terminal();
  for (const name of ['a', 'b', 'c']) {
    const answer = ask.text({ message: name });
    press(enter);
    await answer;
  }
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
});

test('what is waited for is said, and a signal ends the wait', async () => {
  const { ask, stop, drawn } = terminal();
  expect(await ask.wait('asking', Promise.resolve('there'))).toBe('there');
  await expect(ask.wait('asking', Promise.reject(new Error('away')))).rejects.toThrow('away');
  const waiting = ask.wait('asking again', new Promise(() => {}));
  stop.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  expect(drawn()).toContain('asking again');
});
