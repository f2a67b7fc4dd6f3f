/** Writes the table of roles in SECURITY.md from the code: `node lib/run/security-table.ts`. A test compares the two. */
import { writeFileSync } from "node:fs";
import { readSecurity, SECURITY_FILE, withRoleTable } from "#engine/role-table.ts";

writeFileSync(SECURITY_FILE, withRoleTable(readSecurity()));
