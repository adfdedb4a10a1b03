/**
 * A bug in one member: it applies the next entry that puts a value with another value. The log is
 * right, and so is its chain; only the resulting state differs.
 */

import { type Entry, EntryType } from "../../raft/types.js";
import type { Machine } from "../../state/types.js";
import { openPut, openRequest } from "../../wire/internal-request.js";
import { RequestField } from "../../wire/proposal.js";

/** `happening` is called right before it; returns a function that removes the bug again. */
export function misapplyNext(machine: Machine, happening: (entry: Entry) => void): () => void {
  const begin = machine.begin.bind(machine);
  let isOver = false;
  machine.begin = (entry, way) => {
    const data = isOver ? undefined : changedPut(entry);
    if (data === undefined) return begin(entry, way);
    isOver = true;
    happening(entry);
    return begin(readAs(data, entry), way);
  };
  return () => {
    isOver = true;
  };
}

function changedPut(entry: Entry): Uint8Array | undefined {
  if (entry.type !== EntryType.normal || entry.data.length === 0) return undefined;
  const data = entry.data.slice();
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
