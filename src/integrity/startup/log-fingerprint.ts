/**
 * What a member can find out alone when it starts: the log that it retained, run through the chain
 * again, must give the chain that its state claims. An entry that was applied twice or never, or a
 * state that names another index than it holds, does not.
 */

import { DamageError } from "../../base/errors.js";
import type { LogStorage } from "../../raft/types.js";
import type { Fingerprint } from "../../state/fingerprint.js";
import { chainOf } from "../../state/log-chain.js";
import type { MachineReader } from "../../state/types.js";

/** The founding state stands for the first entry; the chain begins after it. */
const founding: Pick<Fingerprint, "index" | "logChain"> = { index: 1, logChain: 0 };

/**
 * Undefined: the chains agree, or no known point of the chain lies in the retained log. Such a point is
 * the founding, or what the log itself noted (see checkpointNote.ts).
 */
export function proveLog(
  log: LogStorage,
  machine: MachineReader,
  noted: readonly Fingerprint[],
): DamageError | undefined {
  const base = log.firstIndex() - 1;
  const { index: applied, logChain: claimed } = machine.fingerprint();
  const from =
    base <= founding.index
      ? founding
      : noted.findLast(({ index }) => index >= base && index <= applied);
  if (from === undefined || from.index > applied) return undefined;
  let chain = from.logChain;
  const entries = log.entries(from.index + 1, applied + 1, Number.MAX_SAFE_INTEGER) ?? [];
  if (entries.length < applied - from.index) return undefined;
  for (const entry of entries) chain = chainOf(chain, entry);
  if (chain === claimed) return undefined;
  return new DamageError({
    finding: `the state at index ${applied} was not made by the entries of this member's log: one was applied twice, never, or differently`,
  });
}
