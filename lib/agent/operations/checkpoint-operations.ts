/** The changing operations on checkpoints and bitmaps, on any host that can do their steps. */
import type { CheckpointOperations } from "../driver.ts";
import { deleteBitmaps } from "./delete-bitmaps.ts";
import { deleteCheckpoints } from "./delete-checkpoints.ts";
import type { HostSteps } from "./host-steps.ts";
import { redefine } from "./redefine.ts";

export const makeCheckpointOperations = (host: HostSteps): CheckpointOperations => ({
  redefine: (input) => redefine(host, input),
  deleteCheckpoints: (input) => deleteCheckpoints(host, input),
  deleteBitmaps: (input) => deleteBitmaps(host, input),
});
