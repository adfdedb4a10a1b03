/**
 * The incarnation of each member as this member first saw it. They have a file of their own beside
 * the log, because the log may name them late. The file is written at once and as a whole, once for
 * each member.
 */
import { DamageError } from "../../base/errors.js";
import type { Disk } from "../../platform/disk.js";
import type { Rng } from "../../platform/rng.js";

const path = "incarnations.json";
const draft = "incarnations.json.tmp";
const sizeMax = 64 * 1024;

/** The incarnation for a new log; never 0n. */
export function drawIncarnation(rng: Rng): bigint {
  const source = rng.fork("incarnation");
  return (BigInt(source.int(2 ** 32)) << 32n) | BigInt(1 + source.int(2 ** 32 - 1));
}

export class KnownIncarnations {
  readonly #disk: Disk;
  readonly #known = new Map<bigint, bigint>();

  /** @throws DamageError if the file cannot be understood */
  constructor(disk: Disk) {
    this.#disk = disk;
    if (!disk.exists(path)) return;
    const file = disk.open(path, "existing");
    const text = new TextDecoder().decode(file.read(0, sizeMax));
    file.close();
    try {
      for (const [id, value] of Object.entries(JSON.parse(text) as Record<string, string>)) {
        this.#known.set(BigInt(`0x${id}`), BigInt(`0x${value}`));
      }
    } catch (cause) {
      throw new DamageError({
        finding: `${path} cannot be read (${(cause as Error).message}). Restore the file from a copy, or remove this member from the cluster and add it anew with an empty data directory`,
      });
    }
  }

  get(id: bigint): bigint | undefined {
    return this.#known.get(id);
  }

  /**
   * Stores the incarnation of a member, and forgets members for which `isKept` is false. Durable
   * when it returns. @throws the disk's errors
   */
  set(id: bigint, incarnation: bigint, isKept: (id: bigint) => boolean = () => true): void {
    for (const known of this.#known.keys()) if (!isKept(known)) this.#known.delete(known);
    this.#known.set(id, incarnation);
    const texts = [...this.#known].map(([key, value]) => [key.toString(16), value.toString(16)]);
    const bytes = new TextEncoder().encode(`${JSON.stringify(Object.fromEntries(texts))}\n`);
    const disk = this.#disk;
    if (disk.exists(draft)) disk.remove(draft);
    const file = disk.open(draft, "create");
    file.write(0, bytes);
    file.syncNow();
    file.close();
    disk.rename(draft, path);
    disk.syncDir("");
  }
}
