/**
 * Compares the rows of the backend with the machine's tables in memory: the key index, the leases,
 * the alarms, the cluster, the users. Entries change both, separately and without a digest. So a row that the
 * tables do not know, or miss, was not changed by an entry.
 *
 * Runs beside `apply`: each piece sees rows and tables of the same moment. The tables were read
 * from the rows when the machine was made, so damage from before that does not show.
 */
import type { BackendReader } from "../platform/backend.js";
import { Bucket } from "../platform/rows.js";
import { keyOf } from "../wire/key-value.js";
import { AlarmSet } from "./alarm/alarm-set.js";
import { encodeRole, encodeUser } from "./auth/auth-rows.js";
import { AuthTable } from "./auth/auth-table.js";
import { ClusterState } from "./cluster/cluster-state.js";
import { LeaseTable } from "./lease/lease-table.js";
import { type KeyHistory, type KeyIndex, keyText } from "./mvcc/key-index.js";
import { decodeRevision, encodeRevision } from "./mvcc/revision-key.js";
import type { Job, MemberRecord } from "./types.js";

export interface AuditedState {
  /** The live backend, with check values removed. */
  readonly rows: BackendReader;
  readonly index: KeyIndex;
  readonly leases: LeaseTable;
  readonly alarms: AlarmSet;
  readonly cluster: ClusterState;
  readonly auth: AuthTable;
}

const firstKey = new Uint8Array(0);

/** The buckets whose rows do not match the tables. */
export function auditRows(state: AuditedState): Job<ReadonlySet<Bucket>> {
  const wrong = new Set<Bucket>();
  const known = knownRows(state);
  const kept = keptPlaces(state);
  let stage: "rows" | "index" = "rows";
  return {
    step(rowsMax) {
      if (stage === "rows") {
        const end = agrees(() => known.step(rowsMax));
        if (end === undefined) return undefined;
        if (!end) wrong.add(Bucket.key);
        stage = "index";
        return undefined;
      }
      const end = wrong.has(Bucket.key) || agrees(() => kept.step(rowsMax));
      if (end === undefined) return undefined;
      if (!end) wrong.add(Bucket.key);
      for (const [bucket, isSame] of smallBuckets(state)) {
        if (agrees(isSame) !== true) wrong.add(bucket);
      }
      return wrong;
    },
  };
}

/**
 * Runs one comparison. False: it has found a difference, or a row on which a decoder throws. Every
 * row that was written can be opened and decoded, so such a row is not as it was written.
 */
function agrees<T>(look: () => T): T | false {
  try {
    return look();
  } catch {
    return false;
  }
}

/** Checks that every row of the key space stands in the index. */
function knownRows({ rows, index }: AuditedState): Job<boolean> {
  let from: Uint8Array = firstKey;
  return {
    step(rowsMax) {
      let result: boolean | undefined = true;
      let left = rowsMax;
      rows.scan(Bucket.key, { from }, (key, value) => {
        if (left-- <= 0) {
          from = key;
          result = undefined;
          return false;
        }
        const { main, sub, isTombstone } = decodeRevision(key);
        const history = index.get(keyText(keyOf(value)));
        if (history === undefined || !holds(history, { main, sub, isTombstone })) result = false;
        return result === true;
      });
      return result;
    },
  };
}

function holds(
  history: KeyHistory,
  row: { readonly main: number; readonly sub: number; readonly isTombstone: boolean },
): boolean {
  // One entry may write a key several times. The search begins at the newest of these places.
  for (let place = history.placeAt(row.main); place >= 0; place--) {
    if (history.main(place) !== row.main) return false;
    if (history.sub(place) === row.sub) return history.isTombstone(place) === row.isTombstone;
  }
  return false;
}

/** Checks that every place of the index has its row. */
function keptPlaces({ rows, index }: AuditedState): Job<boolean> {
  let from = "";
  return {
    step(rowsMax) {
      let result: boolean | undefined = true;
      let left = rowsMax;
      index.scan({ from, to: undefined }, (key, history) => {
        if (left <= 0) {
          from = key;
          result = undefined;
          return false;
        }
        for (let place = 0; place < history.count && result === true; place++, left--) {
          const isTombstone = history.isTombstone(place);
          const row = encodeRevision(history.main(place), history.sub(place), isTombstone);
          if (rows.get(Bucket.key, row) === undefined) result = false;
        }
        return result === true;
      });
      return result;
    },
  };
}

/** Reads each table anew from its rows and compares it with the one in memory. */
function smallBuckets(state: AuditedState): [Bucket, () => boolean][] {
  const { rows, leases, alarms, cluster, auth } = state;
  const restored = new ClusterState();
  const isRestored = agrees(() => {
    restored.restore(rows);
    return true;
  });
  return [
    [
      Bucket.lease,
      () => {
        const again = new LeaseTable();
        again.restore(rows);
        return leasesText(again) === leasesText(leases);
      },
    ],
    [
      Bucket.alarm,
      () => {
        const again = new AlarmSet();
        again.restore(rows);
        const isSame = alarmsText(again) === alarmsText(alarms);
        return isSame && countOf(rows, Bucket.alarm) === alarms.all().length;
      },
    ],
    [
      Bucket.members,
      () =>
        isRestored &&
        membersText(restored.members()) === membersText(cluster.members()) &&
        countOf(rows, Bucket.members) === cluster.members().length,
    ],
    [
      Bucket.membersRemoved,
      () => isRestored && idsText(restored.removed()) === idsText(cluster.removed()),
    ],
    [
      Bucket.cluster,
      () =>
        isRestored &&
        clusterText(restored) === clusterText(cluster) &&
        countOf(rows, Bucket.cluster) === clusterRows(cluster),
    ],
    ...authBuckets(rows, auth),
  ];
}

function authBuckets(rows: BackendReader, auth: AuthTable): [Bucket, () => boolean][] {
  const again = new AuthTable();
  const isRestored = agrees(() => {
    again.restore(rows);
    return true;
  });
  const hasSame = (what: (of: AuthTable) => readonly Uint8Array[]): boolean =>
    isRestored && what(again).map(hexText).join() === what(auth).map(hexText).join();
  return [
    [
      Bucket.auth,
      () => isRestored && again.isEnabled === auth.isEnabled && again.revision === auth.revision,
    ],
    [Bucket.authUsers, () => hasSame((of) => of.users().map(encodeUser))],
    [Bucket.authRoles, () => hasSame((of) => of.roles().map(encodeRole))],
  ];
}

function hexText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function countOf(rows: BackendReader, bucket: Bucket): number {
  let count = 0;
  rows.scan(bucket, { from: firstKey }, () => {
    count++;
    return true;
  });
  return count;
}

function leasesText(leases: LeaseTable): string {
  const texts = [...leases.all()].map(
    ({ id, grantedTtl, remainingTtl }) => `${id} ${grantedTtl} ${remainingTtl}`,
  );
  return texts.sort().join();
}

function alarmsText(alarms: AlarmSet): string {
  return alarms
    .all()
    .map(({ memberId, alarm }) => `${memberId} ${alarm}`)
    .join();
}

function membersText(members: readonly MemberRecord[]): string {
  const lists = members.map(({ id, name, peerUrls, clientUrls, isLearner }) => [
    id.toString(),
    name,
    peerUrls,
    clientUrls,
    isLearner,
  ]);
  return JSON.stringify(lists);
}

function idsText(ids: Iterable<bigint>): string {
  return [...ids].map(String).sort().join();
}

function clusterText(cluster: ClusterState): string {
  const versions = cluster
    .members()
    .flatMap(({ id, serverVersion }) =>
      serverVersion === undefined ? [] : [`${id} ${serverVersion}`],
    );
  const incarnations = cluster
    .members()
    .flatMap(({ id, incarnation }) => (incarnation === undefined ? [] : [`${id} ${incarnation}`]));
  return [
    cluster.clusterId,
    cluster.clusterVersion(),
    cluster.downgradeTarget(),
    ...versions,
    ...incarnations,
  ].join();
}

/** The number of rows that this cluster state must have. */
function clusterRows(cluster: ClusterState): number {
  const members = cluster.members();
  const versions = members.filter(({ serverVersion }) => serverVersion !== undefined);
  const incarnations = members.filter(({ incarnation }) => incarnation !== undefined);
  const own = [
    cluster.clusterId !== 0n,
    cluster.clusterVersion() !== "",
    cluster.downgradeTarget() !== undefined,
  ];
  return own.filter((isThere) => isThere).length + versions.length + incarnations.length;
}
