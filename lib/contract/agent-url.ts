/** Where an agent may be reached. */
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]", "::1"]);

/**
 * What is wrong with an agent's address, or null. `https://host:port`, `http://` on this machine only, or
 * `unix:/path`; nothing but host and port, so that an address carries no secret and leads to no other path.
 */
export function checkAgentUrl(url: string): string | null {
  if (url.startsWith("unix:/")) return null;
  const parsed = URL.parse(url);
  if (parsed === null)
    return "an address such as https://host:7411, http://127.0.0.1:7411 or unix:/run/driftline-agent.sock";
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") return "https, http on this machine, or unix:/path";
  if (parsed.username !== "" || parsed.password !== "") return "an address has no user and no password in it";
  if (parsed.pathname !== "/" || parsed.search !== "" || parsed.hash !== "")
    return "host and port only, without a path";
  if (parsed.protocol === "https:") return null;
  return LOOPBACK.has(parsed.hostname) ? null : "plain http is taken for this machine only: use https";
}

/** What is wrong with the address of a host that is to be paired, or null. Its certificate is pinned, so: TLS. */
export function checkPairedUrl(url: string): string | null {
  return checkAgentUrl(url) ?? (url.startsWith("https://") ? null : "a paired host is reached by https");
}
