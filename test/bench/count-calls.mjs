// Loaded before the command: leaves in a file how often its main thread did what costs time. Counts do not depend on how
// busy the machine is, so a test can hold them.
import fs from "node:fs";
import module, { createRequire } from "node:module";
import { isMainThread, MessagePort, Worker } from "node:worker_threads";

const file = process.env.COUNTS_FILE;
if (isMainThread && file !== undefined) {
  delete process.env.COUNTS_FILE;
  const counts = { messages: 0, statements: 0, modules: [] };
  for (const type of [MessagePort, Worker]) {
    const send = type.prototype.postMessage;
    type.prototype.postMessage = function (...words) {
      counts.messages++;
      return Reflect.apply(send, this, words);
    };
  }
  module.registerHooks({
    load(url, context, next) {
      if (url.startsWith("file:")) counts.modules.push(url);
      if (/\/better-sqlite3\/lib\/index\.js$/.test(url)) countStatements(url);
      return next(url, context);
    },
  });
  process.on("exit", () => fs.writeFileSync(file, JSON.stringify(counts)));

  function countStatements(url) {
    queueMicrotask(() => {
      const { prototype } = createRequire(url)(new URL(url).pathname);
      const { prepare } = prototype;
      prototype.prepare = function (...words) {
        counts.statements++;
        return Reflect.apply(prepare, this, words);
      };
    });
  }
}
