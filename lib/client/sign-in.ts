/** Calls of the sign-in service. Each answers null when it worked, else a sentence for the person. */
type Answer = { message?: string; code?: string; detail?: string } | null;

async function post(path: string, body: object): Promise<string | null> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      credentials: "same-origin",
      body: JSON.stringify(body),
    });
  } catch {
    return "No answer from the server. Check the connection and try again.";
  }
  if (response.ok) return null;
  const answer = (await response.json().catch(() => null)) as Answer;
  if (response.status === 429) return answer?.detail ?? "Too many attempts. Wait a minute, then try again.";
  return answer?.detail ?? answer?.message ?? `The server refused with status ${response.status}.`;
}

export async function signIn(email: string, password: string): Promise<string | null> {
  const refusal = await post("/api/auth/sign-in/email", { email, password });
  return refusal && /invalid (email|password)/i.test(refusal) ? "E-mail address or password is wrong." : refusal;
}

/** Signs in whoever has just set that password, and leaves the page. Where that fails, the sign-in page says why. */
export async function enter(email: string, password: string): Promise<null> {
  const isIn = (await signIn(email, password)) === null;
  window.location.assign(isIn ? "/vms" : "/sign-in");
  return null;
}

export const signOut = (): Promise<string | null> => post("/api/auth/sign-out", {});

/** Makes the first administrator with the one-time link that the server printed. */
export const setUpFirstAdmin = (token: string, email: string, password: string): Promise<string | null> =>
  post("/api/setup", { token, email, password });

/** Sets the password of who was invited, or lost it. */
export const acceptLink = (token: string, name: string | null, password: string): Promise<string | null> =>
  post("/api/welcome", { token, password, ...(name ? { name } : {}) });

/** Goes to the identity provider; answers only when that did not work. */
export async function goToProvider(next: string): Promise<string> {
  const response = await fetch("/api/auth/oidc/start", {
    method: "POST",
    headers: { "content-type": "application/json" },
    credentials: "same-origin",
    body: JSON.stringify({ next }),
  }).catch(() => null);
  const answer = (await response?.json().catch(() => null)) as { url?: string; detail?: string } | null;
  if (response?.ok && answer?.url) {
    window.location.assign(answer.url);
    return "";
  }
  return answer?.detail ?? "No answer from the server. Check the connection and try again.";
}
