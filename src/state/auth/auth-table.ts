/**
 * Users and roles in memory and in their rows. The commands (auth-commands.ts) check first, and
 * then change this table with the entry's write handle.
 *
 * The table computes the merged rights of a user when they are first asked for, and forgets them
 * with every change. So a table that was made from a snapshot can never answer with rights of an
 * earlier state (etcd's #14571).
 */
import type { BackendReader } from "../../platform/backend.js";
import { Bucket } from "../../platform/rows.js";
import { Permission_Type } from "../../wire/gen/auth.js";
import { mergeSort } from "../sort-in-slices.js";
import type { WriteHandle } from "../types.js";
import type { Work } from "../work.js";
import {
  decodeAuthRevision,
  decodeRole,
  decodeUser,
  enabledKey,
  encodeAuthRevision,
  encodeRole,
  encodeUser,
  revisionKey,
} from "./auth-rows.js";
import { type GrantedRange, grantedRange, KeyRanges } from "./key-ranges.js";
import {
  type AuthReader,
  type Permission,
  type Rights,
  type RoleRecord,
  rootName,
  type UserRecord,
} from "./types.js";

/** How many users that a walk only looks at count as much as one row. */
const usersPerUnit = 16;
const firstKey = new Uint8Array(0);
const yes = Uint8Array.of(1);
const no = Uint8Array.of(0);

export class AuthTable implements AuthReader {
  #isEnabled = false;
  #revision = 1;
  readonly #users = new Map<string, UserRecord>();
  readonly #roles = new Map<string, RoleRecord>();
  readonly #rights = new Map<string, Rights>();

  /** Forgets everything and reads the rows. */
  restore(reader: BackendReader): void {
    this.#users.clear();
    this.#roles.clear();
    this.#rights.clear();
    this.#isEnabled = reader.get(Bucket.auth, enabledKey)?.[0] === 1;
    const revision = reader.get(Bucket.auth, revisionKey);
    this.#revision = revision === undefined ? 1 : decodeAuthRevision(revision);
    reader.scan(Bucket.authUsers, { from: firstKey }, (_key, value) => {
      const user = decodeUser(value);
      this.#users.set(user.name, user);
      return true;
    });
    reader.scan(Bucket.authRoles, { from: firstKey }, (_key, value) => {
      const role = decodeRole(value);
      this.#roles.set(role.name, role);
      return true;
    });
  }

  /** Copies what another table holds. Only for a state that has no users yet. */
  copyFrom(other: AuthReader, w: WriteHandle): void {
    for (const user of other.users()) this.putUser(w, user);
    for (const role of other.roles()) this.putRole(w, role);
    if (other.isEnabled) this.setEnabled(w, true);
    if (other.revision !== 1) this.#setRevision(w, other.revision);
  }

  get isEnabled(): boolean {
    return this.#isEnabled;
  }

  get revision(): number {
    return this.#revision;
  }

  user(name: string): UserRecord | undefined {
    return this.#users.get(name);
  }

  role(name: string): RoleRecord | undefined {
    return this.#roles.get(name);
  }

  users(): readonly UserRecord[] {
    return [...this.#users.values()].sort((a, b) => compareNames(a.name, b.name));
  }

  roles(): readonly RoleRecord[] {
    return [...this.#roles.values()].sort((a, b) => compareNames(a.name, b.name));
  }

  rights(name: string): Rights | undefined {
    const known = this.#rights.get(name);
    if (known !== undefined) return known;
    const user = this.#users.get(name);
    if (user === undefined) return undefined;
    const rights = this.#mergedRights(user);
    this.#rights.set(name, rights);
    return rights;
  }

  setEnabled(w: WriteHandle, isEnabled: boolean): void {
    w.put(Bucket.auth, enabledKey, isEnabled ? yes : no);
    this.#isEnabled = isEnabled;
    this.#rights.clear();
  }

  nextRevision(w: WriteHandle): void {
    this.#setRevision(w, this.#revision + 1);
  }

  putUser(w: WriteHandle, user: UserRecord): void {
    w.put(Bucket.authUsers, bytesOf(user.name), encodeUser(user));
    this.#users.set(user.name, user);
    this.#rights.clear();
  }

  deleteUser(w: WriteHandle, name: string): void {
    w.delete(Bucket.authUsers, bytesOf(name));
    this.#users.delete(name);
    this.#rights.clear();
  }

  putRole(w: WriteHandle, role: RoleRecord): void {
    w.put(Bucket.authRoles, bytesOf(role.name), encodeRole(role));
    this.#roles.set(role.name, role);
    this.#rights.clear();
  }

  /**
   * Deletes a role and takes it from its users. Between the pauses the table shows the state before,
   * and nobody may write to it.
   */
  *deleteRole(w: WriteHandle, name: string, work: Work): Generator<undefined, void> {
    const found: UserRecord[] = [];
    let looked = 0;
    for (const user of this.#users.values()) {
      if (user.roles.includes(name)) found.push(user);
      if (++looked % usersPerUnit === 0 && work.spend(1)) yield;
    }
    // In the order of keys the rows of very many users go into one run (entry-write.ts).
    const users = yield* mergeSort(found, (a, b) => compareNames(a.name, b.name), work);
    const changed: UserRecord[] = [];
    for (const user of users) {
      const without = { ...user, roles: user.roles.filter((granted) => granted !== name) };
      w.put(Bucket.authUsers, bytesOf(user.name), encodeUser(without));
      changed.push(without);
      if (work.spend(1)) yield;
    }
    w.delete(Bucket.authRoles, bytesOf(name));
    for (const user of changed) this.#users.set(user.name, user);
    this.#roles.delete(name);
    this.#rights.clear();
  }

  #setRevision(w: WriteHandle, revision: number): void {
    w.put(Bucket.auth, revisionKey, encodeAuthRevision(revision));
    this.#revision = revision;
  }

  #mergedRights(user: UserRecord): Rights {
    const permissions = user.roles.flatMap((name) => this.#roles.get(name)?.permissions ?? []);
    return {
      isRoot: user.roles.includes(rootName),
      read: new KeyRanges(rangesOf(permissions, Permission_Type.READ)),
      write: new KeyRanges(rangesOf(permissions, Permission_Type.WRITE)),
    };
  }
}

function rangesOf(
  permissions: readonly Permission[],
  type: Permission_Type,
): readonly GrantedRange[] {
  return permissions
    .filter(
      (permission) => permission.type === type || permission.type === Permission_Type.READWRITE,
    )
    .map(({ key, rangeEnd }) => grantedRange(key, rangeEnd));
}

/** Orders names by their bytes, as etcd does. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
