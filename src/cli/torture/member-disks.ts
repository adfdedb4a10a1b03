/** Damages the files of members that do not run. */
import { cpSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import type { Rng } from "../../platform/rng.js";
import type { Disks, LostWrites } from "../../torture/ports.js";
import { flipByteAt, tearTail, truncateToShare } from "../stage/file-damage.js";
import { loseWrites } from "./lost-writes.js";

/** The beginning of a value of a torture client (traffic/kv-client.ts). */
const value = /v\d+-\d+/g;

export class MemberDisks implements Disks {
  readonly isHealing: boolean;
  readonly #folderOf: (member: string) => string;
  readonly #rng: Rng;

  constructor(folderOf: (member: string) => string, isHealing: boolean, rng: Rng) {
    this.#folderOf = folderOf;
    this.isHealing = isHealing;
    this.#rng = rng;
  }

  tearTail(member: string): string {
    return tearTail(this.#folderOf(member), this.#rng);
  }

  flipBit(member: string): string {
    const file = this.#backend(member);
    const places = [...readFileSync(file, "latin1").matchAll(value)].map(({ index }) => index);
    const place = places[this.#rng.int(Math.max(1, places.length))];
    if (place === undefined) return `${file} holds no value yet; nothing was done`;
    flipByteAt(file, place);
    return `a bit at ${place} of ${file} flipped`;
  }

  truncate(member: string): string {
    const file = this.#backend(member);
    truncateToShare(file, 0.5);
    return `${file} cut to half`;
  }

  keep(member: string): void {
    const folder = this.#folderOf(member);
    rmSync(`${folder}.kept`, { recursive: true, force: true });
    cpSync(folder, `${folder}.kept`, { recursive: true });
  }

  rollBack(member: string): void {
    const folder = this.#folderOf(member);
    this.wipe(member);
    cpSync(`${folder}.kept`, folder, { recursive: true });
  }

  loseWrites(member: string, lost: LostWrites): string {
    const folder = this.#folderOf(member);
    return loseWrites({ folder, kept: `${folder}.kept`, lost, rng: this.#rng });
  }

  wipe(member: string): void {
    rmSync(this.#folderOf(member), { recursive: true, force: true });
  }

  /**
   * The path of the backend. In lockstep backend.current names the file in use (docs/formats.md).
   */
  #backend(member: string): string {
    const folder = this.#folderOf(member);
    const slot = readFileSync(path.join(folder, "backend.current"), "utf8").trim();
    return path.join(folder, "backends", `${slot}.mdb`);
  }
}
