/** A `GraphChain` from a drift input, as the engine's answer would carry it. */
import { summariseBitmaps } from "#chain/bitmaps.ts";
import { findDrift } from "#chain/findings/index.ts";
import type { DriftInput } from "#chain/model.ts";
import type { GraphChain } from "../types.ts";

export function graphChain(input: DriftInput): GraphChain {
  const { record, observation } = input;
  return {
    vm: { power: observation.power },
    record: {
      checkpoints: record.checkpoints.map((item) => ({ ...item, disks: item.disks.map(({ target }) => target) })),
    },
    host: {
      status: "observed",
      checkpoints: observation.checkpoints.ok ? observation.checkpoints.value : null,
      disks: observation.disks.map((disk) => {
        const bitmaps = summariseBitmaps(disk);
        const { target, source, format, virtualSize } = disk;
        return { target, source, format, virtualSize, bitmaps: bitmaps.ok ? bitmaps.value : null };
      }),
    },
    findings: findDrift(input),
  };
}
