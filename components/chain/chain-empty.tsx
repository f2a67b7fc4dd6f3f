import { CircleQuestionMark, GitCommitVertical } from "lucide-react";
import type { Overlay } from "#client/url-state.ts";
import { EmptyPanel } from "#components/patterns/state-panel.tsx";
import type { Chain } from "#contract/engine.ts";

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
  const where = { both: "Neither the record nor libvirt has", record: "The record has", host: "libvirt has" }[overlay];
  return (
    <EmptyPanel icon={<GitCommitVertical {...ICON} />} title="No checkpoint yet">
      {where} {overlay === "both" ? "a" : "no"} checkpoint of this VM. The first full backup makes one, and the next
      backup can then be incremental.
    </EmptyPanel>
  );
}
