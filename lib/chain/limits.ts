/** Bounds of every outside value. libvirt 9: names of 248 bytes and more fail and leave an orphan bitmap behind. */
export const LIMITS = {
  checkpointNameLength: 200,
  checkpointsPerVm: 16_384,
  disksPerVm: 64,
  vmNameLength: 255,
  targetLength: 32,
  pathLength: 4096,
  bitmapNameLength: 1023,
  /** `kind|checkpoint|disk|bitmap`, where a character that has to be escaped takes three. */
  findingIdLength: 7_168,
  /** `bitmap|disk|name` at most. */
  lossIdLength: 1_100,
  extentBuckets: 2048,
  domainsPerObserve: 20_000,
  bodyBytes: 8 * 1024 * 1024,
  pageSize: 200,
  searchLength: 200,
  /** VMs in one plan group. */
  bulkVms: 100,
} as const;

/** Characters that libvirt and QEMU both take in a checkpoint's name; no leading dot. */
export const CHECKPOINT_NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;
/** A disk's target as libvirt names it (vda, sdb, hdc). */
export const DISK_TARGET = /^[a-z][a-z0-9]{0,31}$/;
export const VM_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
