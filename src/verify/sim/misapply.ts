/**
 * A bug in one member: it applies the next entry that puts a value with another value. The log is
 * right, and so is its chain; only the resulting state differs.
 */

import { copyBytes } from "../../base/bytes.js";
import { type Entry, EntryType } from "../../raft/types.js";
import { openPut, openRequest } from "../../wire/internal-request.js";
import { RequestField } from "../../wire/proposal.js";
import type { SimNode } from "./sim-node.js";

/**
 * Puts the bug into the state that this node has now. `happening` is called right before it; returns
 * a function that removes the bug again.
 */
export function misapplyNext(
  node: Pick<SimNode, "member" | "applyBugs">,
  happening: (entry: Entry) => void,
): () => void {
  const state = node.member?.probe.machine();
  if (state === undefined) throw new Error("the node is not up");
  let isOver = false;
  node.applyBugs.unshift((machine, entry) => {
    const data = isOver || machine !== state ? undefined : changedPut(entry);
    if (data === undefined) return entry;
    isOver = true;
    happening(entry);
    return readAs(data, entry);
  });
  return () => {
    isOver = true;
  };
}

function changedPut(entry: Entry): Uint8Array | undefined {
  if (entry.type !== EntryType.normal || entry.data.length === 0) return undefined;
  const data = copyBytes(entry.data);
  const { field, body } = openRequest(data);
  if (field !== RequestField.put) return undefined;
  const { value } = openPut(body);
  // A copy would not be a part of the entry.
  if (value.length === 0 || value.buffer !== data.buffer) return undefined;
  value[0] = (value[0] as number) ^ 1;
  return data;
}

/**
 * The machine reads an entry's data twice to apply it; after that it reads the data for the log
 * chain.
 */
function readAs(data: Uint8Array, entry: Entry): Entry {
  let reads = 0;
  return {
    ...entry,
    get data() {
      return ++reads <= 2 ? data : entry.data;
    },
  };
}
