/** OpenAPI 3.1 from the same contract that validates the requests. */
import { OpenAPIGenerator } from "@orpc/openapi";
import { ZodToJsonSchemaConverter } from "@orpc/zod/zod4";
import { z } from "zod";
import { agentContract } from "#contract/agent.ts";
import { problemSchema } from "#contract/problem.ts";
import { PREFIX } from "./routes.ts";

/** The document; the error answer is the same everywhere and is added to each operation as `default`. */
export async function makeOpenApi(version: string): Promise<unknown> {
  const generator = new OpenAPIGenerator({ schemaConverters: [new ZodToJsonSchemaConverter()] });
  const document = await generator.generate(agentContract, {
    info: { title: "Driftline agent", version, description: "What one libvirt host says of its backup chains" },
    servers: [{ url: PREFIX }],
    security: [{ bearer: [] }],
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: { Problem: z.toJSONSchema(problemSchema) as never },
    },
  });
  const problem = {
    description: "An error (RFC 9457)",
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path ?? {})) {
      if (typeof operation === "object" && operation !== null && "responses" in operation) {
        operation.responses = { ...operation.responses, default: problem };
      }
    }
  }
  return document;
}
