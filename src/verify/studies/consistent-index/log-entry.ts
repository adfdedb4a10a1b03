/**
 * The replicated log of the model and the meaning of its entries. Only `sectionsOf` knows the
 * effect of an entry; `fold` applies whole entries and is the measure for every design. Values are
 * small, because a person reads them in a diagram.
 *
 * An entry has one list of rows per backend section that etcd's code uses for it. All but
 * `leaseCheckpoint` have at most one section, and some write nothing at all.
 */
export type StudyEntry =
  | { readonly kind: "put"; readonly key: string }
  /** A transaction whose comparison fails and whose else-branch writes nothing. */
  | { readonly kind: "failedTxn" }
  /** Refused when it is applied: for example the user may not write this key. */
  | { readonly kind: "rejected" }
  | { readonly kind: "leaseGrant"; readonly lease: number }
  | { readonly kind: "leaseCheckpoint"; readonly leases: readonly number[]; readonly left: number }
  /** Any change of users or roles: it counts the auth revision up. */
  | { readonly kind: "auth" }
  | { readonly kind: "compaction"; readonly revision: number }
  | { readonly kind: "alarm"; readonly member: number }
  | { readonly kind: "confChange"; readonly member: number };

export type Value = string | number;
export type Rows = ReadonlyMap<string, Value>;
export type StudyRow = readonly [name: string, value: Value];

/** The row that holds the consistent index. */
export const indexRow = "index";
/** The row that holds the configuration of raft. */
export const confStateRow = "confState";
/** Rows below this name belong to one member only (the progress of its compaction worker). */
export const localPrefix = "local/";
/** The row that counts the changes of keys. */
export const revisionRow = "revision";

/** The number in that row; 0 if there is no such row. */
export function numberIn(rows: Rows, name: string): number {
  return Number(rows.get(name) ?? 0);
}

/** The rows that `entry` writes to a state that holds `rows`, one list per section. */
export function sectionsOf(entry: StudyEntry, rows: Rows): readonly (readonly StudyRow[])[] {
  switch (entry.kind) {
    case "put": {
      const revision = numberIn(rows, revisionRow) + 1;
      return [
        [
          [entry.key, `rev${revision}`],
          [revisionRow, revision],
        ],
      ];
    }
    case "failedTxn":
    case "rejected":
      return [];
    case "leaseGrant":
      return [[[`lease/${entry.lease}`, "granted"]]];
    case "leaseCheckpoint":
      return entry.leases.map((lease) => [[`lease/${lease}/left`, entry.left]]);
    case "auth":
      return [[["authRevision", numberIn(rows, "authRevision") + 1]]];
    case "compaction": {
      const isNew = entry.revision > numberIn(rows, "compacted");
      const isKnown = entry.revision <= numberIn(rows, revisionRow);
      return isNew && isKnown ? [[["compacted", entry.revision]]] : [];
    }
    case "alarm":
      return [[[`alarm/${entry.member}`, "NOSPACE"]]];
    case "confChange":
      return [
        [
          [`member/${entry.member}`, "voter"],
          [confStateRow, confStateWith(rows, entry.member)],
        ],
      ];
  }
}

/** The voters of `rows` and this one, as text. */
export function confStateWith(rows: Rows, member: number): string {
  const voters = String(rows.get(confStateRow) ?? "").split(" ");
  return [...new Set([...voters, `m${member}`])]
    .filter((voter) => voter !== "")
    .sort()
    .join(" ");
}

/** Applies whole entries to `rows`: those with an index above `from`, up to and with `to`. */
export function replay(
  log: readonly StudyEntry[],
  rows: Map<string, Value>,
  range: { readonly from: number; readonly to: number },
): void {
  for (const entry of log.slice(range.from, range.to)) {
    for (const section of sectionsOf(entry, rows)) {
      for (const [name, value] of section) rows.set(name, value);
    }
  }
}

/** The replicated rows as one comparable text: without the index and without local rows. */
export function contentOf(rows: Rows): string {
  const lines: string[] = [];
  for (const [name, value] of rows) {
    if (name !== indexRow && !name.startsWith(localPrefix)) lines.push(`${name}=${value}`);
  }
  return lines.sort().join("\n");
}

/** `entry` in words. */
export function describeEntry(entry: StudyEntry): string {
  switch (entry.kind) {
    case "put":
      return `put ${entry.key}`;
    case "failedTxn":
      return "txn that changes nothing";
    case "rejected":
      return "put that is refused";
    case "leaseGrant":
      return `grant lease ${entry.lease}`;
    case "leaseCheckpoint":
      return `checkpoint of lease ${entry.leases.join(" and ")}`;
    case "auth":
      return "add a user";
    case "compaction":
      return `compact at revision ${entry.revision}`;
    case "alarm":
      return `raise NOSPACE for m${entry.member}`;
    case "confChange":
      return `add voter m${entry.member}`;
  }
}
