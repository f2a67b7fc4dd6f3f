import { useRouter } from "next/navigation";
import type { inferParserType } from "nuqs";
import type { Remedy } from "#chain/model.ts";
import type { BackupMode } from "#chain/plan/model.ts";
import { findingTitle } from "#chain/words.ts";
import { useAnnounce } from "#client/announce.tsx";
import { useCommands } from "#client/commands.tsx";
import { useCopy } from "#client/copy.ts";
import { CHAIN_VIEWS, type ChainViewName, type chainParsers, OVERLAYS } from "#client/url-state.ts";
import type { Planning } from "#client/use-make-plan.ts";
import type { Chain, ChainFinding } from "#contract/engine-vms.ts";
import type { GraphNode } from "#graph/types.ts";

type Url = inferParserType<typeof chainParsers>;
type Input = {
  chain: Chain;
  /** Oldest first, as drawn. */
  nodes: GraphNode[];
  findings: ChainFinding[];
  /** Is there a checkpoint or bitmap of this name? An old link may name one that is gone. */
  isKnown: (id: string) => boolean;
  url: Url;
  setUrl: (patch: Partial<Url>) => unknown;
  view: ChainViewName;
  acts: {
    planning: Planning;
    /** Why a remedy cannot be planned for all findings at once. */
    noRemedy: (remedy: Remedy) => string | null;
    noPrune: string | null;
    onPrune: () => void;
    noBackup: string | null;
    noFullBackup: string | null;
    onBackUp: (mode: BackupMode) => void;
  };
};
const VIEW_TITLES: Record<ChainViewName, string> = {
  map: "Map",
  list: "List",
  matrix: "Bitmap matrix",
  extents: "Dirty extents",
};

/** Keyboard and palette of a VM's page, and the copying that its buttons share with them. */
export function useVmCommands({ chain, nodes, findings, isKnown, url, setUrl, view, acts }: Input) {
  const copy = useCopy();
  const announce = useAnnounce();
  const router = useRouter();

  const stepCheckpoint = (step: number) => {
    const newestFirst = nodes.toReversed();
    const at = newestFirst.findIndex((node) => node.id === url.cp);
    const next = newestFirst[at < 0 ? 0 : Math.min(newestFirst.length - 1, Math.max(0, at + step))];
    if (next) setUrl({ cp: next.id });
  };
  const stepFinding = (step: number) => {
    const at = findings.findIndex((finding) => finding.id === url.finding);
    const next =
      findings[at < 0 ? (step > 0 ? 0 : findings.length - 1) : (at + step + findings.length) % findings.length];
    if (!next) return;
    setUrl({ finding: next.id, cp: next.subject.checkpointId ?? next.subject.bitmap ?? url.cp });
    announce(findingTitle(next));
  };
  const here = () => window.location.href;
  type Words = typeof import("#client/chain-text.ts");
  const copyAs = (what: string, make: (words: Words, link: string) => string) => {
    const link = here();
    // Nobody needs these words to read the page.
    void copy(async () => make(await import("#client/chain-text.ts"), link), what);
  };
  const copyFindingText = (finding: ChainFinding) =>
    copyAs("the finding", (words, link) => words.copyFinding(chain, finding, link));
  const copyCheckpointText = () => {
    const { cp } = url;
    if (cp) copyAs("the checkpoint", (words, link) => words.copyCheckpoint(chain, cp, link));
  };
  const copySelection = () => {
    const finding = findings.find((candidate) => candidate.id === url.finding);
    if (finding) copyFindingText(finding);
    else if (url.cp && isKnown(url.cp)) copyCheckpointText();
    else copyAs("the VM", (words, link) => words.copyVm(chain, link));
  };
  const { planning } = acts;
  const noFinding = findings.length === 0 ? "There is no finding." : null;

  useCommands([
    { id: "cp-next", title: "Next checkpoint", group: "Chain", key: "j", hidden: true, run: () => stepCheckpoint(1) },
    {
      id: "cp-prev",
      title: "Previous checkpoint",
      group: "Chain",
      key: "k",
      hidden: true,
      run: () => stepCheckpoint(-1),
    },
    {
      id: "finding-next",
      title: "Next finding",
      group: "Chain",
      key: "n",
      unavailable: noFinding,
      run: () => stepFinding(1),
    },
    {
      id: "finding-prev",
      title: "Previous finding",
      group: "Chain",
      key: "N",
      unavailable: noFinding,
      run: () => stepFinding(-1),
    },
    {
      id: "overlay",
      title: "Next overlay: both, record, host",
      group: "View",
      key: "o",
      run: () => {
        const next = OVERLAYS[(OVERLAYS.indexOf(url.overlay) + 1) % OVERLAYS.length] ?? "both";
        setUrl({ overlay: next });
        announce(`Overlay: ${next}`);
      },
    },
    { id: "copy-text", title: "Copy what is selected as text", group: "Share", key: "c", run: copySelection },
    {
      id: "back-out",
      title: "Back out of the selection",
      group: "View",
      key: "Escape",
      hidden: true,
      run: () => setUrl(url.finding ? { finding: null } : { cp: null, disk: null }),
    },
    // None of these has a key: a single key never changes anything.
    {
      id: "backup-auto",
      title: "Back up now",
      group: "Backup",
      unavailable: acts.noBackup,
      run: () => acts.onBackUp("auto"),
    },
    {
      id: "backup-full",
      title: "Full backup now",
      group: "Backup",
      unavailable: acts.noFullBackup,
      run: () => acts.onBackUp("full"),
    },
    {
      id: "backups",
      title: "Backups of this VM",
      group: "Backup",
      run: () => router.push(`/vms/${chain.vm.id}/backups`),
    },
    { id: "jobs", title: "Jobs of this VM", group: "Go", run: () => router.push(`/jobs?vm=${chain.vm.id}`) },
    {
      id: "plan-heal",
      title: "Plan: heal every finding",
      group: "Plan",
      unavailable: acts.noRemedy("heal"),
      run: () => planning.plan({ intent: "heal", params: { mode: "salvage" } }),
    },
    {
      id: "plan-redefine",
      title: "Plan: redefine",
      group: "Plan",
      unavailable: acts.noRemedy("redefine"),
      run: () => planning.plan({ intent: "redefine", params: { mode: "salvage" } }),
    },
    { id: "plan-prune", title: "Plan: prune…", group: "Plan", unavailable: acts.noPrune, run: acts.onPrune },
    ...CHAIN_VIEWS.filter((name) => name !== view).map((name) => ({
      id: `view-${name}`,
      title: `View: ${VIEW_TITLES[name]}`,
      group: "View",
      run: () => void setUrl({ view: name }),
    })),
  ]);

  return { copyFindingText, copyCheckpointText, copyLink: { id: () => void copy(chain.vm.id, "the id") } };
}
