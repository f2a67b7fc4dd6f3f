/** Makes a `switch` exhaustive: a new member of the union fails the build here until it is handled. */
export function assertNever(value: never): never {
  throw new Error(`not handled: ${JSON.stringify(value)}`);
}
