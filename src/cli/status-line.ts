/** One calm line that says how things stand: rewritten in place on a terminal, now and then a plain line elsewhere. */
const liveEveryMs = 250;

export interface StatusLine {
  /** Ends the line; what is written next stands on a line of its own. May be called twice. */
  stop(): void;
}

/** Whether a live line stands on the terminal. */
let drawn = false;

/** Takes the live line away, so that what is written next stands on a line of its own; it comes back by itself. */
export function clearStatus(): void {
  if (drawn) process.stderr.write('\r\u001b[2K');
  drawn = false;
}

/** Shows `text()` on stderr until stopped; where that is no terminal, a line every `plainEveryMs`. */
export function showStatus(text: () => string, plainEveryMs = 5000): StatusLine {
  const stream = process.stderr;
  const live = stream.isTTY === true;
  const draw = () => {
    if (!live) stream.write(`${text()}\n`);
    else stream.write(`\r\u001b[2K${fitted(text(), (stream.columns ?? 80) - 1)}`);
    drawn = live;
  };
  const timer = setInterval(draw, live ? liveEveryMs : plainEveryMs);
  timer.unref();
  let stopped = false;
  return {
    stop() {
      clearInterval(timer);
      if (live && !stopped) {
        draw();
        stream.write('\n');
        drawn = false;
      }
      stopped = true;
    },
  };
}

/** Whole figures, as many as there is room for: half of one could be read as another. */
export function fitted(line: string, width: number): string {
  if (line.length <= width) return line;
  const end = line.lastIndexOf(between, width - more.length);
  return end > 0 ? `${line.slice(0, end)}${more}` : line.slice(0, Math.max(1, width));
}

const between = ' · ';
const more = ' …';
