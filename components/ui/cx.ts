import { type ClassValue, clsx } from "clsx";

/** Joins class names; falsy ones fall out. */
export function cx(...values: ClassValue[]): string {
  return clsx(values);
}
