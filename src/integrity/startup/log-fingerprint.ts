/**
 * A check that a member makes alone when it starts. It runs the retained log through the log chain
 * again and compares the result with the chain that the state claims. They differ if an entry was
 * applied twice or never, or if the state names another index than it holds.
 */

import { DamageError } from "../../base/errors.js";
import type { LogStorage } from "../../raft/types.js";
import type { Fingerprint } from "../../state/fingerprint.js";
import { chainOf } from "../../state/log-chain.js";
import type { MachineReader } from "../../state/types.js";

/** The founding state replaces the first entry, so the chain begins after it. */
const founding: Pick<Fingerprint, "index" | "logChain"> = { index: 1, logChain: 0 };

/**
 * Undefined: the chains agree, or the retained log holds no index whose chain is known. Known are
 * the founding index and the indexes of checkpoint notes (checkpoint-note.ts).
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
