/** The OpenAPI document, from the schemas that check the requests. */
import { OpenAPIGenerator } from "@orpc/openapi";
import { ZodToJsonSchemaConverter } from "@orpc/zod/zod4";
import { z } from "zod";
import { engineContract } from "#contract/engine.ts";
import { problemSchema } from "#contract/problem.ts";
import { NEEDED } from "../actor.ts";
import { VERSION } from "../version.ts";

let made: Promise<unknown> | null = null;

export function openApiDocument(): Promise<unknown> {
  made ??= make().catch((error: unknown) => {
    made = null;
    throw error;
  });
  return made;
}

async function make(): Promise<unknown> {
  const generator = new OpenAPIGenerator({ schemaConverters: [new ZodToJsonSchemaConverter()] });
  const document = await generator.generate(engineContract, {
    info: { title: "Driftline engine", version: VERSION },
    servers: [{ url: "/api/v1" }],
    security: [{ apiKey: [] }, { session: [] }],
    components: {
      securitySchemes: {
        apiKey: { type: "http", scheme: "bearer" },
        session: { type: "apiKey", in: "cookie", name: "driftline.session_token" },
      },
      schemas: { Problem: z.toJSONSchema(problemSchema) as never },
    },
  });
  const problem = {
    description: "Any error",
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path ?? {})) {
      if (!operation || typeof operation !== "object" || !("responses" in operation)) continue;
      operation.responses = { ...operation.responses, default: problem };
      Object.assign(operation, { "x-role": NEEDED[operation.operationId ?? ""] ?? "admin" });
    }
  }
  return document;
}
