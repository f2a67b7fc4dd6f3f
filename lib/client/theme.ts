/** Kept in a cookie so that the server writes the attribute: no script has to run before the first paint. */
export const THEME_COOKIE = "driftline-theme";
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export const toTheme = (value: string | undefined): Theme => THEMES.find((theme) => theme === value) ?? "system";

/** Applies a theme at once and remembers it for a year. */
export function setTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  // biome-ignore lint/suspicious/noDocumentCookie: the cookie store API is missing in Firefox and Safari
  document.cookie = `${THEME_COOKIE}=${theme}; path=/; max-age=31536000; samesite=lax`;
}

/** The theme that the page shows now, as chosen (not as resolved). */
export function readTheme(): Theme {
  return toTheme(document.documentElement.dataset.theme);
}
