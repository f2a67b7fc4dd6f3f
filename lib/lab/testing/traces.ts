/**
 * What each scenario must change in reality, and nothing else: lines of reality.ts that go ("-") and come ("+").
 * Written by hand from what the scenario's title says, not produced by the code that applies it.
 */
const lines = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

const NO_LIST = `
  - checkpoint cp1 under - on vda vdb
  - checkpoint cp2 under cp1 on vda vdb
  - checkpoint cp3 under cp2 on vda
  - checkpoint cp4 under cp3 on vda vdb`;
const MOVED = `- power running on alpha
  + power running on beta`;
const STOPPED = `- power running on alpha
  + power shut off on alpha`;
const NO_VDA_BITMAPS = ["cp1", "cp2", "cp3", "cp4"].map((id) => `- bitmap vda.qcow2 ${id}`).join("\n");
const NO_VDB_BITMAPS = ["cp1", "cp2", "cp4"].map((id) => `- bitmap vdb.qcow2 ${id}`).join("\n");
const CRASHED = `${NO_VDA_BITMAPS}
  ${NO_VDB_BITMAPS}
  + bitmap vda.qcow2 cp1 inconsistent
  + bitmap vda.qcow2 cp2 inconsistent
  + bitmap vda.qcow2 cp3 inconsistent
  + bitmap vdb.qcow2 cp1 inconsistent
  + bitmap vdb.qcow2 cp2 inconsistent`;
const FOREIGN_BITMAPS = `+ bitmap vda.qcow2 virtnbdbackup.0
  + bitmap vdb.qcow2 virtnbdbackup.0`;
const OVERLAID = (file: string) => `- disk vda vda.qcow2
  + disk vda ${file}.qcow2`;

const TRACES: Record<string, string> = {
  "restart-elsewhere": `${NO_LIST}\n${MOVED}`,
  "live-migration": `${NO_LIST}\n${MOVED}`,
  renamed: NO_LIST,
  "transient-restarted": NO_LIST,
  "transient-stopped": `${NO_LIST}
    ${NO_VDA_BITMAPS}
    ${NO_VDB_BITMAPS}
    - disk vda vda.qcow2
    - disk vdb vdb.qcow2
    - power running on alpha
    + power absent on alpha`,
  "two-hosts": "",
  "diskless-definition": `- checkpoint cp3 under cp2 on vda
    + checkpoint cp3 under cp2 on (no disks element)`,
  "disk-left-out": `- checkpoint cp2 under cp1 on vda vdb
    + checkpoint cp2 under cp1 on vda`,
  "bitmap-name-differs": `- checkpoint cp2 under cp1 on vda vdb
    + checkpoint cp2 under cp1 on vda=cp1 vdb`,
  "parent-differs": `- checkpoint cp4 under cp3 on vda vdb
    + checkpoint cp4 under cp2 on vda vdb`,
  "checkpoint-dropped": "- checkpoint cp4 under cp3 on vda vdb",
  "foreign-tool": `${FOREIGN_BITMAPS}
    + checkpoint virtnbdbackup.0 under - on vda vdb`,
  "foreign-tool-leftovers": FOREIGN_BITMAPS,
  "bitmap-removed-live": "- bitmap vda.qcow2 cp2",
  "bitmap-removed-stopped": `${STOPPED}
    - bitmap vda.qcow2 cp2`,
  "bitmap-added-live": "+ bitmap vdb.qcow2 nightly-job",
  "bitmap-added-stopped": `${STOPPED}
    + bitmap vdb.qcow2 nightly-job`,
  "bitmap-disabled-live": `- bitmap vda.qcow2 cp3
    + bitmap vda.qcow2 cp3 off`,
  "bitmap-disabled-stopped": `${STOPPED}
    - bitmap vda.qcow2 cp3
    + bitmap vda.qcow2 cp3 off`,
  "bitmap-not-persistent": `- bitmap vda.qcow2 cp4
    + bitmap vda.qcow2 cp4 volatile`,
  "bitmap-made-anew": `- bitmap vda.qcow2 cp2
    + bitmap vda.qcow2 cp2 granularity=32768`,
  "overlay-without-bitmaps": OVERLAID("overlay"),
  "snapshot-bitmap-removed": `${OVERLAID("snapshot")}
    + bitmap snapshot.qcow2 cp1
    + bitmap snapshot.qcow2 cp2
    + bitmap snapshot.qcow2 cp4`,
  "granularity-differs": `${OVERLAID("overlay")}
    + bitmap overlay.qcow2 cp1
    + bitmap overlay.qcow2 cp2
    + bitmap overlay.qcow2 cp3
    + bitmap overlay.qcow2 cp4 granularity=32768`,
  "qemu-killed": `${STOPPED}
    ${CRASHED}`,
  "qemu-killed-restarted": CRASHED,
  "older-image-put-back": "",
  "disk-added": "+ disk vdc vdc.qcow2",
  "disk-removed": `- disk vdb vdb.qcow2
    ${NO_VDB_BITMAPS}`,
  "disk-replaced": `- disk vda vda.qcow2
    + disk vda vda.qcow2 another file`,
  "disk-raw": "+ disk vdc vdc.raw",
  "disk-old-qcow2": "+ disk vdc vdc.qcow2-v2",
  "image-unreadable": `${STOPPED}
    ${NO_VDB_BITMAPS}
    + image of vdb: Image is not in qcow2 format`,
  "bitmap-directory-broken": `${STOPPED}
    ${NO_VDB_BITMAPS}
    + image of vdb: Bitmap extra data is not supported`,
  "image-missing": `${STOPPED}
    ${NO_VDB_BITMAPS}
    - disk vdb vdb.qcow2
    + disk vdb vdb.qcow2 no file
    + image of vdb: No such file or directory`,
  "healthy-running": "",
  "healthy-stopped": STOPPED,
  paused: `- power running on alpha
    + power paused on alpha`,
  "snapshot-with-bitmaps": `${OVERLAID("snapshot")}
    + bitmap snapshot.qcow2 cp1
    + bitmap snapshot.qcow2 cp2
    + bitmap snapshot.qcow2 cp3
    + bitmap snapshot.qcow2 cp4`,
  "image-held": `${STOPPED}
    ${NO_VDA_BITMAPS}
    + image of vda: Failed to get shared "write" lock`,
  "backup-running": "",
  "backup-aborted": `+ bitmap vda.qcow2 cp5
    + bitmap vdb.qcow2 cp5
    + checkpoint cp5 under cp4 on vda vdb`,
};

/** The lines for a scenario, sorted; null where its state cannot be read at all. */
export function traceOf(scenario: string): string[] | null {
  if (scenario === "qemu-hung") return null;
  const trace = TRACES[scenario];
  if (trace === undefined) throw new Error(`testing/traces.ts lacks ${scenario}`);
  return lines(trace).sort();
}
