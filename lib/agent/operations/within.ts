/** The value of `promise`; null when the time is over first. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const over = Promise.withResolvers<null>();
  const timer = setTimeout(over.resolve, ms, null);
  try {
    return await Promise.race([promise, over.promise]);
  } finally {
    clearTimeout(timer);
  }
}
