/**
 * What a member can find out alone when it starts: the log that it retained, run through the chain
 * again, must give the chain that its state claims. An entry that was applied twice or never, or a
 * state that names another index than it holds, does not.
 */
import { DamageError } from "../../base/errors.js";
import type { LogStorage } from "../../raft/types.js";
import { type ChainAnchor, chainOf } from "../../state/log-chain.js";
import type { Machine } from "../../state/types.js";
import type { Proof } from "./proof.js";

/** The founding state stands for the first entry; the chain begins after it. */
const founding: ChainAnchor = { index: 1, chain: 0 };

/**
 * Undefined: the chains agree, or no known point of the chain lies in the retained log. Such a point is
 * the founding, what the log itself noted (see witness.ts), or else what the state says of its past.
 */
export function proveLog(
  log: LogStorage,
  machine: Machine,
  noted: readonly Proof[] = [],
): DamageError | undefined {
  const base = log.firstIndex() - 1;
  const { index: applied, logChain: claimed } = machine.fingerprint();
  const isFromFounding = base <= founding.index;
  const isRetained = ({ index }: { readonly index: number }): boolean =>
    index >= base && index <= applied;
  const witness = noted.findLast(isRetained);
  const from = isFromFounding
    ? founding
    : witness !== undefined
      ? { index: witness.index, chain: witness.logChain }
      : machine.chainAnchors().find(isRetained);
  if (from === undefined || from.index > applied) return undefined;
  let { chain } = from;
  const entries = log.entries(from.index + 1, applied + 1, Number.MAX_SAFE_INTEGER) ?? [];
  if (entries.length < applied - from.index) return undefined;
  for (const entry of entries) chain = chainOf(chain, entry);
  if (chain === claimed) return undefined;
  return new DamageError(
    `the state at index ${applied} was not made by the entries of this member's log: one was applied twice, never, or differently`,
  );
}
