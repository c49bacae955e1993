import type { LogChunk } from "../metadata/metadata-store.ts";

/** A piece of what a task wrote. */
export interface TaskLog {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** Pieces as they were written, those that follow each other on one stream as one. */
export function taskLogs(chunks: readonly Pick<LogChunk, "stream" | "text">[]): readonly TaskLog[] {
  const logs: TaskLog[] = [];
  for (const { stream, text } of chunks) {
    const last = logs.at(-1);
    if (last?.stream === stream) logs[logs.length - 1] = { stream, text: last.text + text };
    else logs.push({ stream, text });
  }
  return logs;
}
