"use strict";
/**
 * What a worker thread is started with. Code that Node has compiled before is found again from the first import on: so this
 * comes before the entry proper, which is imported, never required: Node 22 aborts the whole process when a thread is ended
 * while it links a module that was required ("v8::Module::IsGraphAsync must be used on an instantiated module").
 */
const { enableCompileCache } = require("node:module");
const { workerData } = require("node:worker_threads");

if (workerData.compileCache !== undefined) enableCompileCache(workerData.compileCache);
import("./worker.js");
