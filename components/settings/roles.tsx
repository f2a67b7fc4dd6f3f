import { ROLES, type Role } from "#contract/roles.ts";

export const ROLE_WORDS: Record<Role, string> = {
  viewer: "Reads everything, changes nothing.",
  support: "Also observes, validates, prepares plans and starts full backups.",
  operator: "Also applies plans.",
  admin: "Also hosts, people, keys and settings.",
};

export function RoleOptions() {
  return ROLES.map((role) => (
    <option key={role} value={role}>
      {role}
    </option>
  ));
}
