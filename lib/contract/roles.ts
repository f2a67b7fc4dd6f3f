/** What somebody may do; each includes the ones before it. */
export const ROLES = ["viewer", "support", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];
