import { CircleQuestionMark, GitCommitVertical } from "lucide-react";
import { plural } from "#client/format.ts";
import type { Overlay } from "#client/url-state.ts";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";
import type { Chain } from "#contract/engine-vms.ts";

const ICON = { size: 28, strokeWidth: 1.5, "aria-hidden": true } as const;

/** No checkpoint to draw, by cause. A list that was not read is never "none". */
export function ChainEmpty({ chain, overlay }: { chain: Chain; overlay: Overlay }) {
  if (overlay !== "record" && chain.host.checkpoints === null) {
    return (
      <EmptyPanel icon={<CircleQuestionMark {...ICON} />} title="Cannot tell what the host has">
        libvirt’s list could not be read{overlay === "both" ? ", and nothing is recorded" : ""}.
      </EmptyPanel>
    );
  }
  const [recorded, listed] = [chain.record.checkpoints.length, chain.host.checkpoints?.length ?? 0];
  const other = overlay === "record" ? listed : overlay === "host" ? recorded : 0;
  if (other > 0) {
    const [none, some] =
      overlay === "record" ? ["Nothing is recorded", "libvirt lists"] : ["libvirt lists none", "The record has"];
    return (
      <EmptyPanel icon={<GitCommitVertical {...ICON} />} title={none}>
        {some} {plural(other, "checkpoint")} of this VM. “Both” above shows the two together.
      </EmptyPanel>
    );
  }
  return (
    <EmptyPanel icon={<GitCommitVertical {...ICON} />} title="No checkpoint yet">
      Neither the record nor libvirt has a checkpoint of this VM. The first full backup makes one, and the next backup
      can then be incremental.
    </EmptyPanel>
  );
}
