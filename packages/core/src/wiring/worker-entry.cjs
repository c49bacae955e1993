"use strict";
/**
 * What the pool of threads loads. It gets the entry proper by `import()`: the pool would `require` it, and Node 22 aborts the
 * whole process when a thread is ended while it links a module that was required (seen with 22.15, once in a hundred runs:
 * "v8::Module::IsGraphAsync must be used on an instantiated module").
 */
let entry;

/** @param batch as the entry takes it */
module.exports = async (batch) => {
  entry ??= import("./worker.js");
  return (await entry).default(batch);
};
