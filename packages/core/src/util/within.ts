/** Whether something happens within a time; it goes on in any case. */
export async function within(limitMs: number, done: Promise<unknown>): Promise<boolean> {
  const limit = Promise.withResolvers<false>();
  const timer = setTimeout(() => limit.resolve(false), limitMs);
  try {
    return await Promise.race([done.then(() => true), limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}
