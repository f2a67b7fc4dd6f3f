/** The agent's calls about who may talk to it. */
import { oc } from "@orpc/contract";
import { z } from "zod";
import { sha256Hex } from "./common.ts";

const nothing = z.strictObject({}).optional();
const accepted = z.object({
  /** Tokens of paired engines that the agent takes from now on. */
  accepted: z.int().min(0),
});

export const agentPairing = {
  /** The only call under `/v1` that needs no token: the proof stands for it. */
  pair: oc
    .route({ method: "POST", path: "/pair", summary: "Introduce an engine with the one-time code" })
    .input(
      z.strictObject({
        /** How the engine is called in the agent's log. */
        engine: z.string().min(1).max(200),
        tokenSha256: sha256Hex,
        /** HMAC of the code's secret over certificate and token. */
        proof: sha256Hex,
      }),
    )
    .output(z.object({ name: z.string(), agentVersion: z.string() })),
  rotateToken: oc
    .route({ method: "POST", path: "/token/rotate", summary: "Take a second token beside the one that is sent" })
    .input(z.strictObject({ tokenSha256: sha256Hex }))
    .output(accepted),
  confirmToken: oc
    .route({ method: "POST", path: "/token/confirm", summary: "Keep the token that is sent and forget the other one" })
    .input(nothing)
    .output(accepted),
  revokeToken: oc
    .route({ method: "POST", path: "/token/revoke", summary: "Forget the engine whose token is sent" })
    .input(nothing)
    .output(accepted),
};
