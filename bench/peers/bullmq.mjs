// BullMQ: jobs in Redis. A fan-out is jobs added at once, a line is a tree in which each job waits for the one below it.
import { FlowProducer, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

export async function open({ socket }) {
  const connection = new Redis(socket, { maxRetriesPerRequest: null });
  const queue = new Queue("work", { connection });
  const flows = new FlowProducer({ connection });
  let left = 0;
  let finish;
  const worker = new Worker("work", async () => {}, { connection, concurrency: 2 });
  worker.on("completed", () => {
    if (--left === 0) finish();
  });
  await worker.waitUntilReady();
  const done = (count) => {
    left = count;
    return new Promise((resolve) => {
      finish = resolve;
    });
  };
  return {
    async fanOut(count) {
      const all = done(count);
      await queue.addBulk(Array.from({ length: count }, (_, index) => ({ name: "task", data: { index } })));
      await all;
    },
    async line(count) {
      const all = done(count);
      let tree;
      for (let index = 0; index < count; index++)
        tree = { name: `step${index}`, queueName: "work", data: {}, ...(tree && { children: [tree] }) };
      await flows.add(tree);
      await all;
    },
    async close() {
      await worker.close();
      await flows.close();
      await queue.close();
      connection.disconnect();
    },
  };
}
