import { describe, expect, test } from "vitest";
import { WriteTurns } from "./write-turns.ts";

const busy = () => Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" });

describe("WriteTurns", () => {
  test("runs writes one after another in the order they were asked for, also when one has to wait", async () => {
    const turns = new WriteTurns("x.db", { random: () => 0 });
    const log: string[] = [];
    let locked = 3;
    const first = turns.take(() => {
      if (locked-- > 0) throw busy();
      log.push("first");
    });
    const second = turns.take(() => log.push("second"));
    await Promise.all([first, second]);
    expect(log).toEqual(["first", "second"]);
  });

  test("goes on after a write that failed", async () => {
    const turns = new WriteTurns("x.db", {});
    const failing = turns.take(() => {
      throw new Error("no");
    });
    const next = turns.take(() => 7);
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe(7);
    await turns.settled();
  });

  test("gives up at its limit with the file and the time", async () => {
    const turns = new WriteTurns("x.db", { busyLimitMs: 30 });
    const error = {
      code: "FLOW_METADATA_BUSY",
      message: expect.stringContaining('"x.db"'),
      context: { path: "x.db", limitMs: 30 },
    };
    await expect(
      turns.take(() => {
        throw busy();
      }),
    ).rejects.toMatchObject(error);
  });

  test("waits once for a lock, however many writes are behind it", async () => {
    const turns = new WriteTurns("x.db", { busyLimitMs: 200 });
    const locked = () => {
      throw busy();
    };
    const begin = performance.now();
    const writes = await Promise.allSettled(Array.from({ length: 5 }, () => turns.take(locked)));
    expect(writes.map(({ status }) => status)).toEqual(Array(5).fill("rejected"));
    expect(performance.now() - begin).toBeLessThan(500);
    expect(await turns.take(() => 7)).toBe(7);
  });

  test("leaves a gap after a transaction only while others write", async () => {
    const turns = new WriteTurns("x.db", { random: () => 0 });
    let ended = 0;
    const spend = () => {
      const begin = performance.now();
      while (performance.now() < begin + 12);
      ended = performance.now();
    };
    let timerRan = false;
    setTimeout(() => {
      timerRan = true;
    }, 0);
    await turns.take(spend);
    await turns.take(spend);
    turns.othersWrote(); // Once, as the run's own heartbeat does.
    await turns.take(spend);
    expect(timerRan).toBe(false); // alone: no timer stood between them

    turns.othersWrote();
    await turns.take(spend);
    const begun = await turns.take(() => performance.now());
    expect(begun - ended).toBeGreaterThanOrEqual(15); // 1.5 times the 12 ms before
  });
});
