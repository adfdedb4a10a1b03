/** Makes the notes about the state that the log stores before each backend commit. */
import { encodeCheckpointNote } from "../integrity/startup/checkpoint-note.js";
import type { StateStore } from "../storage/state-store.js";

/**
 * Returns a function that gives the next note, or undefined if nothing changed since the last one.
 */
export function checkpointNotes(
  state: Pick<StateStore, "isStandIn" | "machine" | "name">,
): () => Uint8Array | undefined {
  let noted = "";
  return () => {
    // A stand-in has no content to note.
    if (state.isStandIn()) return undefined;
    const fingerprint = state.machine().fingerprint();
    const name = state.name();
    // Requests for snapshots and hashes flush often. They must not fill the log with the same note.
    if (noted === `${name} ${fingerprint.index}`) return undefined;
    noted = `${name} ${fingerprint.index}`;
    return encodeCheckpointNote(fingerprint, name);
  };
}
