/**
 * Runs as a separate process in backend.crash.test.ts, which kills it. Writes numbered units
 * without end (unit n: row n, and `n` in the meta row) and commits after every few. Prints `ack
 * <n>` when unit n is durable, and prints what a failed commit does.
 */
import { writeSync } from "node:fs";
import { Bucket } from "../../rows.js";
import { createLmdbBackendStore } from "./backend.js";

export const lastKey = Uint8Array.of(1);

export function numberBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function run(root: string): void {
  // A write beyond the limit that the test sets must fail, not end the process.
  process.on("SIGXFSZ", () => {});
  const print = (line: string) => writeSync(1, `${line}\n`);
  const backend = createLmdbBackendStore(root).open("db");
  const last = backend.get(Bucket.meta, lastKey);
  let next = last === undefined ? 0 : new DataView(last.buffer, last.byteOffset).getUint32(0) + 1;
  const writeUnit = () => {
    const value = new Uint8Array((next * 37) % 3000).fill(next);
    const row = { bucket: Bucket.key, key: numberBytes(next), value };
    backend.write([row, { bucket: Bucket.meta, key: lastKey, value: numberBytes(next) }]);
    next += 1;
  };
  const refuse = (error: Error) => {
    print(`error ${error.message}`);
    try {
      writeUnit();
    } catch (refusal) {
      print(`refused ${(refusal as Error).message}`);
    }
    backend.commit((again) => {
      print(`again ${again?.message}`);
      backend.close(() => print("closed"));
    });
  };
  const turn = () => {
    for (let count = next % 7; count >= 0; count -= 1) writeUnit();
    const written = next - 1;
    backend.commit((error) => {
      if (error !== undefined) refuse(error);
      else {
        print(`ack ${written}`);
        turn();
      }
    });
    // These go into the next generation, while the commit runs.
    writeUnit();
  };
  turn();
}

const [, script, root] = process.argv;
if (script === import.meta.filename && root !== undefined) run(root);
