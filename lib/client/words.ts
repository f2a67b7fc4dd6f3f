import type {
  Agreement,
  FindingKind,
  Freshness,
  NextBackup,
  ObserveErrorCode,
  Power,
  Remedy,
  Severity,
} from "#chain/model.ts";

/** What a value is called, its one letter, and how it may be coloured. Shapes are drawn by `patterns/axis-shape.tsx`. */
export type Tone = "ok" | "warn" | "bad" | "info" | "mute";
export type Word = { word: string; letter: string; tone: Tone; means: string };

export const AGREEMENT_WORDS: Record<Agreement, Word> = {
  agrees: { word: "Agrees", letter: "A", tone: "ok", means: "Record, libvirt and disks tell the same story." },
  differs: { word: "Differs", letter: "D", tone: "bad", means: "Record and host part somewhere; see the findings." },
  unknown: { word: "Cannot tell", letter: "?", tone: "mute", means: "Too little is known to say either." },
  checking: { word: "Checking", letter: "C", tone: "info", means: "A job is changing this VM right now." },
};
export const NEXT_BACKUP_WORDS: Record<NextBackup, Word> = {
  incremental: { word: "Incremental", letter: "I", tone: "ok", means: "Every disk has a usable base." },
  mixed: { word: "Mixed", letter: "M", tone: "warn", means: "Some disks have a usable base, others need a full." },
  full: { word: "Full", letter: "F", tone: "warn", means: "No disk has a usable base." },
  blocked: { word: "Blocked", letter: "B", tone: "bad", means: "No backup is possible until something is put right." },
  unknown: { word: "Cannot tell", letter: "?", tone: "mute", means: "Too little is known to say what it will cost." },
};
export const FRESHNESS_WORDS: Record<Freshness, Word> = {
  fresh: { word: "Fresh", letter: "F", tone: "ok", means: "Read recently." },
  ageing: { word: "Ageing", letter: "A", tone: "warn", means: "The last read is older than it should be." },
  stale: { word: "Stale", letter: "S", tone: "mute", means: "Too old to rely on. The last known values are hatched." },
  offline: {
    word: "Host offline",
    letter: "O",
    tone: "mute",
    means: "The host does not answer. Last known values are hatched.",
  },
};
export const POWER_WORDS: Record<Power, Word> = {
  running: { word: "Running", letter: "R", tone: "mute", means: "The VM runs." },
  paused: { word: "Paused", letter: "P", tone: "mute", means: "The VM is paused; its process holds the disks." },
  "shut-off": { word: "Shut off", letter: "S", tone: "mute", means: "The VM is defined and does not run." },
  absent: { word: "Absent", letter: "–", tone: "mute", means: "Defined on no host now; its record stands." },
  unknown: { word: "Cannot tell", letter: "?", tone: "mute", means: "Its power state is not known." },
};
export const SEVERITY_WORDS: Record<Severity, Word> = {
  loss: { word: "Data loss", letter: "L", tone: "bad", means: "A backup could succeed with wrong data in it." },
  block: { word: "Blocks", letter: "B", tone: "bad", means: "No backup of that kind is possible." },
  full: { word: "Forces full", letter: "F", tone: "warn", means: "A disk needs a full backup." },
  waste: { word: "Waste", letter: "W", tone: "mute", means: "Costs space or speed." },
  note: { word: "Note", letter: "N", tone: "mute", means: "Worth knowing; nothing is at risk." },
};

/** A finding kind in a few words. The kind itself is shown beside it: it is the name in the API. */
export const KIND_TITLES: Record<FindingKind, string> = {
  "metadata.missing": "Checkpoint missing in libvirt",
  "metadata.unknown": "Checkpoint unknown to the record",
  "metadata.parent-differs": "Parent differs",
  "metadata.disks-differ": "Disk set differs",
  "metadata.bitmap-name-differs": "Bitmap name differs from checkpoint",
  "bitmap.missing": "Bitmap missing",
  "bitmap.inconsistent": "Bitmap inconsistent",
  "bitmap.not-recording": "Bitmap not recording",
  "bitmap.not-persistent": "Bitmap not persistent",
  "bitmap.gap": "Bitmap missing in an upper layer",
  "bitmap.unknown": "Bitmap owned by nobody",
  "bitmap.rewound": "Disk went back in time",
  "bitmap.granularity-differs": "Granularity differs",
  "disk.added": "Disk added since the last checkpoint",
  "disk.gone": "Disk no longer attached",
  "disk.replaced": "Disk replaced",
  "disk.unsupported": "Disk cannot hold bitmaps",
  "disk.unreadable": "Disk image cannot be opened",
  "checkpoint.unfinished": "Checkpoint of an unfinished backup",
  "record.missing-parent": "Recorded parent does not exist",
  "record.cycle": "Recorded chain has a loop",
  "vm.two-hosts": "Active on two hosts",
  "backup.stuck": "Backup stuck",
};

export const REMEDY_WORDS: Record<Remedy, string> = {
  redefine: "Redefine",
  adopt: "Adopt",
  remove: "Remove",
  heal: "Heal",
  "remove-bitmap": "Remove bitmap",
  acknowledge: "Acknowledge",
  "full-backup": "Full backup now",
  retire: "Retire disk",
  "repair-record": "Repair links",
  abort: "Abort the job",
  close: "Close the record",
  explain: "What to do",
};

/** What a reader can do about a read that failed. */
export const OBSERVE_ADVICE: Record<ObserveErrorCode, string> = {
  "agent-unreachable": "Check that the agent runs on the host and that the engine can reach its address.",
  "agent-refused": "The agent does not take this engine's token or certificate; pair the host again.",
  "libvirt-unreachable": "Check that libvirtd runs on the host and that the agent's libvirtUri is right.",
  "permission-denied": "Give the agent's user the right to read this on the host.",
  "image-locked": "Another process holds the image. It is read again when the lock is gone.",
  "image-missing": "The image is not where libvirt says. Check mounts and storage pools on the host.",
  unreadable: "QEMU cannot open this image. Run qemu-img check on the host before starting the VM.",
  "qmp-forbidden":
    "This site does not allow QMP. Bitmaps of running VMs cannot be read; stop the VM or allow it in the agent's configuration.",
  "qmp-failed": "QEMU refused the query. Its own words are below.",
  timeout: "The host took too long. Observe again; if it stays so, look at the host's load and storage.",
  "lock-held": "Another job holds the domain. Observe again when it has ended.",
  "domain-changed": "The VM started or stopped during the read. Observe again.",
  "tool-missing": "Install the missing tool on the host (qemu-img, qemu-nbd or nbdinfo).",
  "unsupported-source": "This kind of disk source cannot be read; it is always backed up in full.",
  internal: "The agent failed. Its log has the trace.",
};
