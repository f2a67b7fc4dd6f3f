/** Requests made from the schemas of an OpenAPI document: ones that are right, and ones that are wrong in one place. */
import fc from "fast-check";

export type Schema = {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  propertyNames?: Schema;
  additionalProperties?: Schema | boolean;
  /** A part of a union that nothing tells from the others: what is wrong in it is said of the whole union. */
  isUntold?: boolean;
};
/** `checkpoints`, 0, `disks` … */
export type Path = (string | number)[];

/** A value that the schema allows. `isWhole`: with every key that there can be, and one item in each list. */
export function allowed(schema: Schema, isWhole = false): fc.Arbitrary<unknown> {
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => allowed(one, isWhole)));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.type === "null") return fc.constant(null);
  if (schema.type === "boolean") return fc.boolean();
  if (schema.type === "integer" || schema.type === "number") {
    return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1_000 });
  }
  if (schema.type === "array") {
    const items = schema.items ?? {};
    const minLength = schema.minItems ?? 1;
    return fc.array(allowed(items, isWhole), { minLength, maxLength: isWhole ? Math.max(1, minLength) : 3 });
  }
  if (schema.type === "object") {
    const { properties = {}, required = [], additionalProperties, propertyNames } = schema;
    if (typeof additionalProperties === "object") {
      return fc.dictionary(text(propertyNames ?? {}), allowed(additionalProperties, isWhole), { maxKeys: 2 });
    }
    const record = Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, allowed(value, isWhole)]));
    return isWhole ? fc.record(record) : fc.record(record, { requiredKeys: required });
  }
  return text(schema);
}

function text({ format, pattern, minLength = 0, maxLength = 60 }: Schema): fc.Arbitrary<string> {
  if (format === "date-time") {
    const [min, max] = [new Date("1970-01-02T00:00:00Z"), new Date("2090-01-01T00:00:00Z")];
    return fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString());
  }
  if (format === "email") return fc.nat({ max: 9_999 }).map((n) => `somebody${n}@example.org`);
  if (format === "uuid") return fc.uuid({ version: 4 });
  if (pattern !== undefined) {
    // A pattern that fixes the length itself (a digest) takes no bound beside it.
    const bound = /\{\d+\}\$$/.test(pattern) ? {} : { maxLength: Math.min(maxLength, 60) };
    const bounded = fc.stringMatching(new RegExp(pattern), bound);
    return bounded.filter((value) => value.length >= minLength);
  }
  return fc.string({ minLength, maxLength: Math.min(maxLength, 60) });
}

/** The schema once for each way through its unions of objects, so that each place of a value has one schema. */
export function waysThrough(schema: Schema): Schema[] {
  const parts = schema.anyOf?.filter((one) => one.type !== "null") ?? [];
  if (parts.length > 1 && parts.every((one) => one.type === "object" || one.anyOf !== undefined)) {
    const isTold = parts.every(({ properties = {} }) =>
      Object.values(properties).some((one) => one.const !== undefined),
    );
    return parts.flatMap(waysThrough).map((one) => (isTold ? one : { ...one, isUntold: true }));
  }
  return Object.entries(schema.properties ?? {}).reduce<Schema[]>(
    (ways, [key, inner]) =>
      waysThrough(inner).flatMap((one) =>
        ways.map((way) => ({ ...way, properties: { ...way.properties, [key]: one } })),
      ),
    [schema],
  );
}

/** Every place of a value that its schema knows, the whole first. */
export function placesOf(schema: Schema, value: unknown, path: Path = []): { path: Path; schema: Schema }[] {
  const fitting = schema.anyOf?.find((one) => (value === null) === (one.type === "null")) ?? schema;
  const here = { path, schema };
  if (Array.isArray(value) && fitting.items !== undefined) {
    const { items } = fitting;
    return [here, ...value.flatMap((item, i) => placesOf(items, item, [...path, i]))];
  }
  if (typeof value !== "object" || value === null) return [here];
  const { properties = {}, additionalProperties } = fitting;
  const rest = typeof additionalProperties === "object" ? additionalProperties : undefined;
  return [
    here,
    ...Object.entries(value).flatMap(([key, inner]) => {
      const of = properties[key] ?? rest;
      return of === undefined ? [] : placesOf(of, inner, [...path, key]);
    }),
  ];
}

/** A copy with another value at one place; `undefined` takes the key away. */
export function withValueAt(value: unknown, [head, ...rest]: Path, put: unknown): unknown {
  if (head === undefined) return put;
  if (Array.isArray(value)) return value.map((item, i) => (i === head ? withValueAt(item, rest, put) : item));
  const { [head]: inner, ...others } = value as Record<string, unknown>;
  const next = withValueAt(inner, rest, put);
  return next === undefined ? others : { ...others, [head]: next };
}

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<string | number, unknown>)[key], value);
}

/** As the problems name it: `checkpoints[3].id`. */
export const fieldOf = (path: Path): string =>
  path.map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? key : `.${key}`)).join("");

const STRANGE = [
  "",
  ".a",
  "a b",
  "../../etc/passwd",
  "<a/>",
  "x".repeat(5_000),
  "\u0000",
  "é",
  "a\nb",
  "-1",
  "NaN",
  "\ud83d\ude00",
];
/** Anything at all that JSON can say. */
export const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...STRANGE, 0, -1, 1.5, 1e300, true, null, [], {}, [[]], [null], { a: 1 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
);
