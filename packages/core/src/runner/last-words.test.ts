import { expect, test } from "vitest";
import type { LogChunk, TaskSequence } from "../metadata/metadata-store.ts";
import { LastWords } from "./last-words.ts";
import { LiveOutput } from "./live-output.ts";
import { SecretMask } from "./secret-mask.ts";

const task = 7 as TaskSequence;

/** A thread that is ended right after its message has left, before it can note that. */
class Ended extends Error {}

function outputOf(lastWords: LastWords, send: (chunk: LogChunk) => void): LiveOutput {
  return new LiveOutput({ task, attempt: 1, mask: new SecretMask([]), lastWords, send });
}

test("what was not sent is found", () => {
  const words = new LastWords();
  words.begin(task, 1);
  words.add("stdout", "half a line");
  words.add("stderr", "trouble");
  const found = new LastWords(words.buffer).take(() => ({ stdout: 0, stderr: 0 }));
  expect(found.map(({ stream, text }) => [stream, text])).toEqual([
    ["stdout", "half a line"],
    ["stderr", "trouble"],
  ]);
  expect(words.take(() => ({ stdout: 0, stderr: 0 }))).toEqual([]);
});

test("what came as a message is not said twice, though the thread could not note that it was sent", () => {
  const words = new LastWords();
  const heard: LogChunk[] = [];
  const output = outputOf(words, (chunk) => {
    heard.push(chunk);
    if (heard.length === 2) throw new Ended();
  });
  output.write("stdout", "first");
  expect(() => output.write("stdout", "second")).toThrow(Ended);
  const counts = { stdout: heard.length, stderr: 0 };
  const asked: unknown[] = [];
  const found = words.take((...attempt) => {
    asked.push(attempt);
    return counts;
  });
  expect([heard.map(({ text }) => text), found, asked]).toEqual([["first", "second"], [], [[task, 1]]]);
});

test("only the stream that came is left out", () => {
  const words = new LastWords();
  words.begin(task, 1);
  words.add("stdout", "came");
  words.add("stderr", "did not");
  expect(words.take(() => ({ stdout: 1, stderr: 0 })).map(({ text }) => text)).toEqual(["did not"]);
});
