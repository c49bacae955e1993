import { expect, test } from "vitest";
import { type SlotShare, Slots } from "./slots.ts";

/** A run that always has something to start; it notes whenever it is told of room. */
function greedy(slots: Slots, depth: number, name: string, log: string[]): SlotShare {
  const share: SlotShare = slots.join(depth, () => {
    if (!share.hasRoom()) return;
    share.take();
    log.push(name);
  });
  return share;
}

test("one run takes as many slots as there are, and more ahead while it is alone", () => {
  const slots = new Slots(2);
  const only = slots.join(0, () => {});
  const takeAll = (ahead: number): number => {
    while (only.hasRoom(ahead)) only.take();
    return only.taken;
  };
  expect([takeAll(1), takeAll(3)]).toEqual([2, 6]);
  const other = slots.join(1, () => {});
  only.giveBack();
  expect([only.hasRoom(3), other.hasRoom()]).toEqual([false, false]);
  for (let index = 0; index < 4; index++) only.giveBack();
  // One is left running, and what stands ahead of it is gone: the other one gets the second slot.
  expect([only.taken, other.hasRoom(3)]).toEqual([1, true]);
});

test("a slot that is given back goes to the innermost run", () => {
  const slots = new Slots(1);
  const log: string[] = [];
  const outer = greedy(slots, 0, "outer", log);
  greedy(slots, 1, "middle", log);
  greedy(slots, 2, "inner", log);
  outer.take();
  outer.wait();
  expect(log).toEqual(["inner"]);
});

test("a task that goes on comes before whatever is new, and waits for a slot like all", () => {
  const slots = new Slots(1);
  const log: string[] = [];
  const outer = slots.join(0, () => {});
  outer.take();
  outer.wait();
  const inner = greedy(slots, 1, "inner", log);
  inner.take();
  outer.resume(() => log.push("goes on"));
  expect(log).toEqual([]);
  inner.giveBack();
  expect([log, outer.taken, inner.hasRoom()]).toEqual([["goes on"], 1, false]);
  outer.giveBack();
  expect(log).toEqual(["goes on", "inner"]);
});

test("a wish to go on that is taken back leaves the slot to others", () => {
  const slots = new Slots(1);
  const log: string[] = [];
  const outer = slots.join(0, () => {});
  outer.take();
  outer.wait();
  const inner = slots.join(1, () => {});
  inner.take();
  const leave = outer.resume(() => log.push("goes on"));
  leave();
  inner.giveBack();
  expect([log, outer.taken, outer.hasRoom()]).toEqual([[], 0, true]);
});

test("tasks of one run that wait are bounded, so that its idle workers are", () => {
  const slots = new Slots(2);
  const run = slots.join(0, () => {});
  for (let index = 0; index < 2; index++) {
    expect(run.hasRoom()).toBe(true);
    run.take();
    run.wait();
  }
  expect(run.hasRoom()).toBe(false);
  run.stopWaiting();
  expect(run.hasRoom()).toBe(true);
});

test("when a run leaves, the others are told of the room", () => {
  const slots = new Slots(1);
  const log: string[] = [];
  greedy(slots, 0, "outer", log);
  const inner = slots.join(1, () => {});
  inner.take();
  inner.leave();
  expect(log).toEqual(["outer"]);
});
