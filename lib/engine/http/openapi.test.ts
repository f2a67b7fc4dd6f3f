import { expect, test } from "vitest";
import { openApiDocument } from "./openapi.ts";

type Operation = {
  operationId?: string;
  parameters?: { name: string; in: string; required?: boolean; schema?: object }[];
};

const operations = async (): Promise<Operation[]> => {
  const { paths = {} } = (await openApiDocument()) as { paths?: Record<string, Record<string, Operation>> };
  return Object.values(paths).flatMap((path) => Object.values(path));
};
const headersOf = ({ parameters = [] }: Operation) => parameters.filter((one) => one.in === "header");

test("the document says which calls take an Idempotency-Key, which of them need it, and of what form", async () => {
  const taking = (await operations()).filter((operation) => headersOf(operation).length > 0);
  const needed = taking.map((operation) => [operation.operationId, headersOf(operation)[0]?.required]);
  expect(Object.fromEntries(needed)).toEqual({
    "backups.create": false,
    "planGroups.apply": true,
    "plans.apply": true,
  });
  for (const operation of taking) {
    const schema = { type: "string", minLength: 1, maxLength: 200, pattern: "^[\\x21-\\x7e]{1,200}$" };
    expect(headersOf(operation)).toMatchObject([{ name: "Idempotency-Key", schema }]);
  }
});

test("a call with a header of its own keeps the parameters of its address", async () => {
  const apply = (await operations()).find(({ operationId }) => operationId === "plans.apply");
  expect(apply?.parameters?.map(({ name }) => name)).toEqual(["planId", "Idempotency-Key"]);
});
