import { describe, expect, test } from "vitest";
import { BatchSize } from "./batch-size.ts";

describe("batch size", () => {
  test("tasks of unknown duration travel alone", () => {
    expect(new BatchSize().of("work", 1_000, 2)).toBe(1);
  });

  test("short tasks travel together, at most 256", () => {
    const sizes = new BatchSize();
    for (let index = 0; index < 20; index++) sizes.measured("work", 0.01);
    expect(sizes.of("work", 10_000, 2)).toBe(256);
    expect(sizes.messagesOf("work")).toBe(3);
    for (let index = 0; index < 100; index++) sizes.measured("work", 0.05);
    expect(sizes.messagesOf("work")).toBe(6);
  });

  test("long tasks travel alone, also after a short one", () => {
    const sizes = new BatchSize();
    sizes.measured("work", 1);
    for (let index = 0; index < 10; index++) sizes.measured("work", 500);
    expect(sizes.of("work", 1_000, 2)).toBe(1);
    expect(sizes.messagesOf("work")).toBe(1);
  });

  test("nothing is sent ahead while only cold tasks are known", () => {
    const sizes = new BatchSize();
    sizes.measured("work", 9);
    expect(sizes.messagesOf("work")).toBe(1);
  });

  test("the last tasks are shared among the workers, but not below what a message costs", () => {
    const sizes = new BatchSize();
    sizes.measured("work", 1);
    expect(sizes.of("work", 12, 2)).toBe(3);
    expect(sizes.of("work", 2, 2)).toBe(2);
  });

  test("the first messages are small, so that something comes back soon", () => {
    const sizes = new BatchSize();
    for (let index = 0; index < 20; index++) sizes.measured("work", 0.01);
    expect(sizes.of("work", 10_000, 2, true)).toBe(100);
    expect(sizes.of("work", 10_000, 2, false)).toBe(256);
    expect(sizes.of("work", 10, 2, true)).toBe(100);
  });

  test("a slow first task does not keep the next ones apart for long", () => {
    const sizes = new BatchSize();
    sizes.measured("work", 50);
    for (let index = 0; index < 8; index++) sizes.measured("work", 0.1);
    expect(sizes.of("work", 1_000, 2)).toBeGreaterThan(32);
  });

  test("after the first task of a cold worker some travel together, and the second worker's does not take that back", () => {
    const sizes = new BatchSize();
    sizes.measured("work", 20);
    expect(sizes.of("work", 1_000, 2)).toBe(5);
    sizes.measured("work", 25);
    expect(sizes.of("work", 1_000, 2)).toBeGreaterThan(3);
    expect(sizes.of("work", 4, 2)).toBe(1);
    sizes.measured("work", 20);
    expect(sizes.of("work", 1_000, 2)).toBe(1);
  });

  test("one task that was held up does not make short ones travel alone", () => {
    const sizes = new BatchSize();
    for (let index = 0; index < 20; index++) sizes.measured("work", 0.05);
    sizes.measured("work", 400);
    expect(sizes.of("work", 10_000, 2)).toBeGreaterThan(64);
  });
});
