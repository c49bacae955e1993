// graphile-worker: jobs in PostgreSQL. A line is a job that adds the next one.
import { makeWorkerUtils, run } from "graphile-worker";

export async function open({ connection }) {
  const silent = { error() {}, warn() {}, info() {}, debug() {} };
  const { Logger } = await import("graphile-worker");
  const logger = new Logger(() => (level, message) => silent[level]?.(message));
  const utils = await makeWorkerUtils({ connectionString: connection, logger });
  await utils.migrate();
  let left = 0;
  let finish;
  const one = () => {
    if (--left === 0) finish();
  };
  const runner = await run({
    connectionString: connection,
    concurrency: 2,
    noHandleSignals: true,
    logger,
    taskList: {
      task: async () => one(),
      async step({ rest }, helpers) {
        if (rest > 0) await helpers.addJob("step", { rest: rest - 1 });
        one();
      },
    },
  });
  const done = (count) => {
    left = count;
    return new Promise((resolve) => {
      finish = resolve;
    });
  };
  return {
    async fanOut(count) {
      const all = done(count);
      await utils.addJobs(Array.from({ length: count }, (_, index) => ({ identifier: "task", payload: { index } })));
      await all;
    },
    async line(count) {
      const all = done(count);
      await utils.addJob("step", { rest: count - 1 });
      await all;
    },
    async close() {
      await runner.stop();
      await utils.release();
    },
  };
}
