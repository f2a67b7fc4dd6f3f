export { formatBytes } from "#chain/words.ts";

const STEPS = [
  { unit: "second", seconds: 1, below: 60 },
  { unit: "minute", seconds: 60, below: 3600 },
  { unit: "hour", seconds: 3600, below: 48 * 3600 },
  { unit: "day", seconds: 86_400, below: 60 * 86_400 },
  { unit: "month", seconds: 2_629_800, below: 2 * 31_557_600 },
  { unit: "year", seconds: 31_557_600, below: Number.POSITIVE_INFINITY },
] as const;
const SHORT = { second: "s", minute: "min", hour: "h", day: "d", month: "mo", year: "y" } as const;

/** An age in ms as one short figure: `42 s`, `5 min`, `3 h`. */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, Math.round(ageMs / 1000));
  const step = STEPS.find((candidate) => seconds < candidate.below) ?? STEPS[0];
  return `${Math.floor(seconds / step.seconds)} ${SHORT[step.unit]}`;
}

/** An ISO time against now: `5 min ago`, `just now`, `in 3 h`. */
export function formatRelative(iso: string, nowMs: number): string {
  const age = nowMs - Date.parse(iso);
  if (Math.abs(age) < 5000) return "just now";
  return age >= 0 ? `${formatAge(age)} ago` : `in ${formatAge(-age)}`;
}

/** `2026-03-04 05:06:07 UTC`: exact and sortable, the same in every time zone. */
export function formatExact(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** ISO 8601 UTC without milliseconds, for copied text. */
export function toIsoUtc(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19)}Z`;
}

const NUMBER = new Intl.NumberFormat("en");
export const formatCount = (value: number): string => NUMBER.format(value);

/** `1 disk`, `3 disks`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A share in percent with two digits where it is small. */
export function formatPercent(part: number, whole: number): string {
  if (whole === 0) return "0 %";
  const percent = (part / whole) * 100;
  return `${percent >= 10 || percent === 0 ? percent.toFixed(0) : percent.toFixed(percent < 1 ? 2 : 1)} %`;
}
