import pino from "pino";

/** Structured log on stdout. Secrets are cut out wherever an object might carry one. */
export const log = pino({
  level: process.env.DRIFTLINE_LOG_LEVEL ?? "info",
  redact: {
    paths: ["token", "*.token", "password", "*.password", "authorization", "*.authorization", "cookie", "*.cookie"],
    censor: "[redacted]",
  },
});
