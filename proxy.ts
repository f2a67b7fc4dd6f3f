import { type NextRequest, NextResponse } from "next/server";

/**
 * Content security policy with a nonce for each page. Next puts the nonce of the request's policy on its own scripts.
 * Styles: React and the virtual lists set style attributes and libraries add style elements; scripts stay strict.
 */
function policy(nonce: string, isDev: boolean): string {
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${isDev ? " 'unsafe-eval'" : ""}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self'${isDev ? " ws:" : ""}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Sets the policy of every page (the other headers stand in next.config.js) and tells the server components which address was asked for. */
export function proxy(request: NextRequest): NextResponse {
  const nonce = btoa(crypto.randomUUID());
  const csp = policy(nonce, process.env.NODE_ENV === "development");
  const headers = new Headers(request.headers);
  headers.set("x-nonce", nonce);
  headers.set("x-driftline-path", `${request.nextUrl.pathname}${request.nextUrl.search}`);
  headers.set("content-security-policy", csp);
  const response = NextResponse.next({ request: { headers } });
  response.headers.set("content-security-policy", csp);
  return response;
}

export const config = {
  // Pages only: the API answers without markup, static files carry no script of ours to protect.
  matcher: ["/((?!api/|_next/static|_next/image|favicon.ico|icon.svg|healthz|readyz|metrics).*)"],
};
