/** Arguments of Node that set the clock of a command forward, in its workers too: days pass without waiting. */
export function daysLater(days: number): readonly string[] {
  const code = `
    const ahead = ${days * 24 * 60 * 60 * 1000};
    const RealDate = Date;
    globalThis.Date = class Date extends RealDate {
      constructor(...parts) {
        if (parts.length === 0) super(RealDate.now() + ahead);
        else super(...parts);
      }
      static now() { return RealDate.now() + ahead; }
    };`;
  return ["--import", `data:text/javascript,${encodeURIComponent(code)}`];
}
