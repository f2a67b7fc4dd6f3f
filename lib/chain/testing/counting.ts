/** Cost as the number of reads, which no busy machine changes. For tests only. */

/** Wraps every object of the input, so that each read of a property or element counts as one operation. */
export function counting<T extends object>(root: T): { value: T; reads: () => number } {
  let reads = 0;
  const wrapped = new WeakMap<object, object>();
  const wrap = <V>(value: V): V => {
    if (typeof value !== "object" || value === null) return value;
    const known = wrapped.get(value);
    if (known) return known as V;
    const proxy = new Proxy(value, {
      get(target, key, receiver) {
        reads += 1;
        return wrap(Reflect.get(target, key, receiver));
      },
    });
    wrapped.set(value, proxy);
    return proxy;
  };
  return { value: wrap(root), reads: () => reads };
}
