/** Users, roles and rights as the rest of the store sees them. */
import type { Permission_Type } from "../../wire/gen/auth.js";
import type { KeyRanges } from "./key-ranges.js";

/** The user that may do everything while it has the role of the same name. */
export const rootName = "root";

export interface UserRecord {
  readonly name: string;
  /** A bcrypt hash as text in ASCII. Empty: no password fits. */
  readonly password: Uint8Array;
  /** Ascending by bytes, each once. May name roles that do not exist: only "root" can. */
  readonly roles: readonly string[];
  /** Undefined in rows of etcd before 3.4. */
  readonly options: { readonly noPassword: boolean } | undefined;
}

export interface Permission {
  readonly type: Permission_Type;
  readonly key: Uint8Array;
  /** Empty: the key alone. One zero byte: no upper bound. */
  readonly rangeEnd: Uint8Array;
}

export interface RoleRecord {
  readonly name: string;
  /** Ascending by key; equal keys in the order of the grants. */
  readonly permissions: readonly Permission[];
}

/** The merged rights of a user. */
export interface Rights {
  readonly isRoot: boolean;
  readonly read: KeyRanges;
  readonly write: KeyRanges;
}

export interface AuthReader {
  readonly isEnabled: boolean;
  /** Grows with every change of users, roles and rights. 1 before the first. */
  readonly revision: number;
  user(name: string): UserRecord | undefined;
  role(name: string): RoleRecord | undefined;
  /** Ascending by the bytes of the name. */
  users(): readonly UserRecord[];
  roles(): readonly RoleRecord[];
  /** Undefined: there is no such user. */
  rights(name: string): Rights | undefined;
}

/** What an auth entry did, for the parts that hold tokens and watches. */
export type AuthChange =
  | { readonly type: "enabled" | "disabled" | "rights" }
  /** Tokens of this user must end: it is deleted or has another password. */
  | { readonly type: "userEnded"; readonly user: string }
  | {
      readonly type: "authenticated";
      readonly user: string;
      /** The random part of the token; empty with JWT. */
      readonly simpleToken: string;
      readonly authRevision: number;
    };
