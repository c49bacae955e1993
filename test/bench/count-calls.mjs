// Loaded before the command: leaves in a file how often its main thread did what costs time. Counts do not depend on how
// busy the machine is, so a test can hold them.

// Taken without import, which would load more of Node than the command does.
const [fs, module, { isMainThread, MessagePort, Worker }] = ["fs", "module", "worker_threads"].map((name) =>
  process.getBuiltinModule(`node:${name}`),
);

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
      if (/\/better-sqlite3\/lib\/binding\.js$/.test(url)) countStatements(url);
      return next(url, context);
    },
  });
  process.on("exit", () => {
    const builtIns = process.moduleLoadList.flatMap((entry) => /^NativeModule (.*)/.exec(entry)?.[1] ?? []);
    fs.writeFileSync(file, JSON.stringify({ ...counts, builtIns }));
  });

  function countStatements(url) {
    queueMicrotask(() => {
      // Of the native part: what is around it is in the bundle.
      const { prototype } = module.createRequire(url)(new URL(url).pathname).getBinding().Database;
      const { prepare } = prototype;
      prototype.prepare = function (...words) {
        counts.statements++;
        return Reflect.apply(prepare, this, words);
      };
    });
  }
}
