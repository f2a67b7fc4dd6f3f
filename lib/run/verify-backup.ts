/**
 * `npm run verify-backup -- <backup id>`: restores a backup to temporary files on its host and compares the content
 * with the stopped disk where nothing was written since, else with what was recorded. DRIFTLINE_URL (http://127.0.0.1:3000) and DRIFTLINE_API_KEY (role
 * support) say where and as whom. Ends with 0 when it is proven, 1 when it is not, 2 when it could not be asked.
 */
import { connectEngine } from "./api.ts";

function fail(message: string): never {
  console.error(`driftline: ${message}`);
  process.exit(2);
}

const [backupId] = process.argv.slice(2);
const { DRIFTLINE_URL: url = "http://127.0.0.1:3000", DRIFTLINE_API_KEY: apiKey } = process.env;
if (!backupId) fail("which backup? npm run verify-backup -- <backup id>");
if (!apiKey) fail("set DRIFTLINE_API_KEY to an API key with the role support (see README, apiKeys)");

const client = connectEngine(url.replace(/\/$/, ""), apiKey);
try {
  const backup = await client.backups.get({ backupId });
  console.log(`backup ${backupId}: ${backup.kind}, ${backup.startedAt}, checkpoint ${backup.checkpointId ?? "none"}`);
  const recorded = new Map(backup.disks.map((disk) => [disk.target, disk.sha256]));
  let proven: boolean | null = null;
  for await (const item of await client.backups.verify({ backupId })) {
    if (item.type === "disk") {
      const images = item.images.map((image) => `  ${image.ok ? "sound" : "DAMAGED"}  ${image.path}`);
      const known = recorded.get(item.target);
      const digest = item.sha256 === null ? "not restored" : `sha256 ${item.sha256}`;
      const same = known ? (known === item.sha256 ? "as recorded" : `RECORDED ${known}`) : "none recorded";
      console.log([`${item.target}: ${digest} (${same}); disk: ${item.comparedWithDisk}`, ...images].join("\n"));
    } else if (item.type === "result") {
      proven = item.ok;
      console.log(`${item.ok ? "proven" : "NOT PROVEN"}: ${item.detail}`);
    }
  }
  if (proven === null) fail("the answer ended before there was a result");
  process.exit(proven ? 0 : 1);
} catch (error) {
  const data = (error as { data?: { body?: { detail?: unknown } } }).data;
  const detail = data?.body?.detail;
  fail(typeof detail === "string" ? detail : error instanceof Error ? error.message : String(error));
}
