import { expect, test } from "vitest";
import { listenToOutput } from "./output-patch.ts";

const shown = globalThis.console as unknown as { readonly _stdout: NodeJS.WritableStream };

test("a listener takes what it wants, and the streams are as before when the last has gone, in any order", () => {
  const before = [process.stdout.write, process.stderr.write, shown._stdout.write];
  const taken: string[] = [];
  const take = (name: string) => (stream: string) =>
    stream === "stdout" ? (piece: string | Uint8Array) => taken.push(`${name} ${String(piece)}`) : undefined;
  const endFirst = listenToOutput(take("first"));
  process.stdout.write("1");
  const endSecond = listenToOutput(take("second"));
  process.stdout.write("2");
  endFirst();
  process.stdout.write("3");
  endFirst();
  endSecond();
  expect(taken).toEqual(["first 1", "second 2", "second 3"]);
  expect([process.stdout.write, process.stderr.write, shown._stdout.write]).toEqual(before);
});

test("a patch that somebody laid over ours stays, and lets everything through", () => {
  const original = process.stdout.write;
  const end = listenToOutput(() => undefined);
  const ours = process.stdout.write;
  const written: unknown[] = [];
  const theirs = ((piece: string) => written.push(piece) > 0) as typeof process.stdout.write;
  process.stdout.write = theirs;
  end();
  expect(process.stdout.write).toBe(theirs);
  process.stdout.write("theirs");
  expect(written).toEqual(["theirs"]);
  process.stdout.write = ours;
  listenToOutput(() => undefined)();
  process.stdout.write = original;
});

test("bytes and other encodings arrive as they were meant, and the callback is called", async () => {
  const pieces: Buffer[] = [];
  const end = listenToOutput(() => (piece) => pieces.push(Buffer.from(piece)));
  await new Promise<void>((resolve) => process.stdout.write("c3bc", "hex", () => resolve()));
  await new Promise<void>((resolve) => process.stdout.write(Buffer.from("!"), () => resolve()));
  console.log("said");
  end();
  expect(Buffer.concat(pieces).toString()).toBe("ü!said\n");
});
