/** What the log is to remember of the state before a backend commit. */
import { encodeCheckpointNote } from "../integrity/startup/checkpoint-note.js";
import type { StateStore } from "../storage/state-store.js";

/** Gives the next note; undefined: there is nothing new to remember. */
export function checkpointNotes(state: StateStore): () => Uint8Array | undefined {
  let noted = "";
  return () => {
    // A stand-in holds nothing.
    if (state.isStandIn()) return undefined;
    const fingerprint = state.machine().fingerprint();
    const name = state.name();
    // A member that is asked for snapshots and hashes all day must not fill its log with one note.
    if (noted === `${name} ${fingerprint.index}`) return undefined;
    noted = `${name} ${fingerprint.index}`;
    return encodeCheckpointNote(fingerprint, name);
  };
}
