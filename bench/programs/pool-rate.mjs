// A process of its own with piscina's rate in it, on stdout: node pool-rate.mjs COUNT
import { openPool, poolRate } from "../kit/thread-pool.mjs";

const pool = await openPool({ atomics: "disabled" });
console.log(await poolRate(pool, Number(process.argv[2])));
await pool.destroy();
