import { expect, test, vi } from "vitest";
import { fakeClock } from "./fake-clock.ts";
import { IdleClock } from "./idle-clock.ts";

test("a fake clock stands, and calls in the order of time", async () => {
  const clock = fakeClock({ start: "2030-01-01T00:00:00Z" });
  const called: string[] = [];
  const note = (name: string) => (): void => {
    called.push(`${name} ${clock.now().toISOString().slice(11, 19)}`);
  };
  clock.after(60_000, note("minute"));
  clock.after(1_000, () => {
    note("second")();
    clock.after(1_000, note("next"));
  });
  const takeBack = clock.after(1_500, note("never"));
  expect(await clock.nextDelay()).toBe(1_000);
  takeBack();
  await clock.advance(500);
  expect(called).toEqual([]);
  await clock.advance("59.5s");
  expect(called).toEqual(["second 00:00:01", "next 00:00:02", "minute 00:01:00"]);
  expect(clock.now().toISOString()).toBe("2030-01-01T00:01:00.000Z");
});

test("nextDelay waits until something waits", async () => {
  const clock = fakeClock();
  const delay = clock.nextDelay();
  setImmediate(() => clock.after(7, () => {}));
  expect(await delay).toBe(7);
});

test("what is no duration is refused", async () => {
  await expect(fakeClock().advance("1 minute" as "1m")).rejects.toMatchObject({ code: "FLOW_TESTING_BAD_VALUE" });
});

test("faked timers do not stop a fake clock", async () => {
  vi.useFakeTimers();
  try {
    const clock = fakeClock();
    const called = vi.fn();
    clock.after(10, called);
    await clock.advance(10);
    expect(called).toHaveBeenCalledOnce();
  } finally {
    vi.useRealTimers();
  }
});

test("an idle clock skips what nobody works for, and waits while somebody works", async () => {
  let isIdle = false;
  const clock = new IdleClock(() => isIdle);
  const start = clock.now().getTime();
  const called: string[] = [];
  const hour = new Promise<void>((resolve) => {
    clock.after(3_600_000, () => {
      called.push("hour");
      resolve();
    });
  });
  const begin = performance.now();
  await new Promise<void>((resolve) => {
    clock.after(30, () => {
      called.push("soon");
      resolve();
    });
  });
  expect(performance.now() - begin).toBeGreaterThan(25);
  expect(called).toEqual(["soon"]);
  isIdle = true;
  await hour;
  expect(clock.now().getTime() - start).toBeGreaterThanOrEqual(3_600_000);
  clock.after(1_000, () => called.push("never"))();
  expect(called).toEqual(["soon", "hour"]);
});
