const DAY_MS = 24 * 60 * 60 * 1000;

/** Arguments of Node that set the clock of a command forward, in its workers too: days pass without waiting. */
export function daysLater(days: number): readonly string[] {
  return ["--import", clockAhead(days * DAY_MS)];
}

/** A module that sets the clock of the process that imports it forward, or back where the number is negative. */
export function clockAhead(ms: number): string {
  const code = `
    const ahead = ${ms};
    const RealDate = Date;
    globalThis.Date = class Date extends RealDate {
      constructor(...parts) {
        if (parts.length === 0) super(RealDate.now() + ahead);
        else super(...parts);
      }
      static now() { return RealDate.now() + ahead; }
    };`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
