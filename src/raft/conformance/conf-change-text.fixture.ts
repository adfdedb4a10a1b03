/** The notation of conf changes in scenario files: v1 (voter), l2 (learner), r3 (remove), u4. */
import type { SingleChange } from "../confchange/changer.js";
import { type ConfChange, type Entry, EntryType, leaveJoint } from "../types.js";

const letters = { v: "addVoter", l: "addLearner", r: "remove", u: "update" } as const;

export function parseChanges(text: string): SingleChange[] {
  const tokens = text.split(/\s+/).filter((token) => token !== "");
  return tokens.map((token) => {
    const type = letters[token[0] as keyof typeof letters];
    if (type === undefined) throw new Error(`unknown input: ${token}`);
    return { type, id: BigInt(token.slice(1)) };
  });
}

export function changesText(changes: readonly SingleChange[]): string {
  const letterOf = (type: SingleChange["type"]) =>
    Object.entries(letters).find(([, name]) => name === type)?.[0];
  return changes.map(({ type, id }) => `${letterOf(type)}${id}`).join(" ");
}

/**
 * The data of an entry. It is empty for leaving a joint configuration, as raft itself writes it.
 */
export function encodeChange({ transition, changes }: ConfChange): Uint8Array {
  if (transition === "auto" && changes.length === 0) return leaveJoint.context;
  return new TextEncoder().encode(`${transition} ${changesText(changes)}`);
}

export function decodeChange(entry: Entry): ConfChange {
  if (entry.type === EntryType.confChangeV2 && entry.data.length === 0) return leaveJoint;
  const text = new TextDecoder().decode(entry.data);
  const [transition, ...changes] = text.split(" ");
  return {
    transition: transition as ConfChange["transition"],
    changes: parseChanges(changes.join(" ")),
    context: leaveJoint.context,
  };
}
