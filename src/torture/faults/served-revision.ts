/** Asks one member for its revision until it answers. */
import type { Clock } from "../../platform/clock.js";
import type { Request } from "../../verify/history/types.js";
import { decodeAnswer, encodeRequest } from "../../verify/sim/clients/client-calls.js";
import { pauseFor } from "../pause.js";
import type { Stage } from "../ports.js";
import { end, first } from "../traffic/draw-request.js";

const callMs = 1_000;
const pollMs = 100;

/**
 * The revision that a member answers a read with. Undefined: it answers none in that time.
 * `isLocal`: a serializable read, of what this member has applied; else one that a quorum confirms.
 */
export async function servedRevision(
  stage: Stage,
  member: string,
  how: { readonly clock: Clock; readonly withinMs: number; readonly isLocal: boolean },
): Promise<number | undefined> {
  const { clock, withinMs, isLocal } = how;
  const request = {
    kind: "range",
    key: first,
    end,
    serializable: isLocal,
  } as const satisfies Request;
  const { path, bytes } = encodeRequest(request);
  const connection = stage.connect(member);
  try {
    for (const endMs = clock.now() + withinMs; clock.now() < endMs; ) {
      const result = await connection.call(path, bytes, callMs);
      if (result.kind === "ok") return decodeAnswer(request, result.bytes).revision;
      await pauseFor(clock, pollMs);
    }
    return undefined;
  } finally {
    connection.close();
  }
}
