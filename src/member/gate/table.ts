/**
 * Which rules of admission hold for which RPC and page. Nothing is served without an entry: services
 * register their methods through `serve` (src/api/serve.ts), whose types demand exactly the methods
 * that stand here, and table.test.ts compares the table with proto/*.proto.
 *
 * To add a rule: write it in rules.ts, with a test in rules.test.ts; give GateView what it looks at;
 * name it in the entries below. The columns say when a rule is asked:
 *
 * - `arrival`: when a call comes, before its message is read. It sees the client.
 * - `read`, `write`, `change`: when the decoded request wants to read state, to go into the log, or
 *   to change the membership. It sees the request with its client. An RPC without the column cannot
 *   do that: `Gate.read` and its siblings take only names of RPCs that have it.
 * - `relay`: before another member is asked to answer in this one's place, and again before its
 *   answer is passed on.
 *
 * The first refusal counts. A rule sees the client's metadata (`Client`); the identity that goes into
 * the log is `caller` of the proposal (wire/proposal.ts), which `Gate.write` hands on.
 */
import * as rule from "./rules.js";

export interface RpcRules {
  readonly kind: "unary" | "serverStream" | "bidi";
  readonly arrival: readonly rule.ArrivalRule[];
  readonly read?: readonly rule.ReadRule[];
  readonly write?: readonly rule.WriteRule[];
  readonly change?: readonly rule.ChangeRule[];
  readonly relay?: readonly rule.ArrivalRule[];
}

const { notStopping, soundState, notLearner, leaderIfRequired, noCorruptAlarm } = rule;

/** What every member answers as long as it runs. */
const always = [notStopping];
/** What learners answer, too. */
const member = [notStopping, soundState, leaderIfRequired];
const voter = [notStopping, notLearner, soundState, leaderIfRequired];
const keys = [...voter, noCorruptAlarm];

const backPressure = [rule.applyKeepsUp, rule.queueHasRoom];
const write = [notStopping, soundState, rule.withinSize, ...backPressure, rule.withinQuota];
const change = [notStopping, soundState, ...backPressure, rule.keepsQuorum];
const relay = [notStopping, soundState];

const unary = "unary";
const notImplemented = { kind: unary, arrival: always } as const;

export const rpcTable = {
  "/etcdserverpb.KV/Range": {
    kind: unary,
    arrival: [...member, noCorruptAlarm],
    read: [rule.localOnLearner],
  },
  "/etcdserverpb.KV/Put": { kind: unary, arrival: keys, write },
  "/etcdserverpb.KV/DeleteRange": { kind: unary, arrival: keys, write },
  "/etcdserverpb.KV/Txn": { kind: unary, arrival: keys, read: [], write },
  "/etcdserverpb.KV/Compact": { kind: unary, arrival: keys, write },
  "/etcdserverpb.Watch/Watch": { kind: "bidi", arrival: voter },
  "/etcdserverpb.Lease/LeaseGrant": { kind: unary, arrival: voter, write },
  "/etcdserverpb.Lease/LeaseRevoke": { kind: unary, arrival: voter, write },
  "/etcdserverpb.Lease/LeaseKeepAlive": { kind: "bidi", arrival: voter, relay },
  "/etcdserverpb.Lease/LeaseTimeToLive": { kind: unary, arrival: voter, relay },
  "/etcdserverpb.Lease/LeaseLeases": { kind: unary, arrival: voter },
  "/etcdserverpb.Cluster/MemberAdd": { kind: unary, arrival: voter, change },
  "/etcdserverpb.Cluster/MemberRemove": { kind: unary, arrival: voter, change },
  "/etcdserverpb.Cluster/MemberUpdate": { kind: unary, arrival: voter, change },
  "/etcdserverpb.Cluster/MemberList": { kind: unary, arrival: voter, read: [] },
  "/etcdserverpb.Cluster/MemberPromote": { kind: unary, arrival: voter, change },
  "/etcdserverpb.Maintenance/Alarm": { kind: unary, arrival: voter, write },
  "/etcdserverpb.Maintenance/Status": { kind: unary, arrival: member },
  "/etcdserverpb.Maintenance/Defragment": { kind: unary, arrival: voter },
  "/etcdserverpb.Maintenance/Hash": { kind: unary, arrival: voter },
  "/etcdserverpb.Maintenance/HashKV": { kind: unary, arrival: voter },
  "/etcdserverpb.Maintenance/Snapshot": { kind: "serverStream", arrival: member },
  "/etcdserverpb.Maintenance/MoveLeader": { kind: unary, arrival: voter },
  "/etcdserverpb.Maintenance/Downgrade": { kind: unary, arrival: voter, read: [], write },
  "/etcdserverpb.Auth/Authenticate": notImplemented,
  "/etcdserverpb.Auth/AuthEnable": notImplemented,
  "/etcdserverpb.Auth/AuthDisable": notImplemented,
  "/etcdserverpb.Auth/AuthStatus": notImplemented,
  "/etcdserverpb.Auth/UserAdd": notImplemented,
  "/etcdserverpb.Auth/UserGet": notImplemented,
  "/etcdserverpb.Auth/UserList": notImplemented,
  "/etcdserverpb.Auth/UserDelete": notImplemented,
  "/etcdserverpb.Auth/UserChangePassword": notImplemented,
  "/etcdserverpb.Auth/UserGrantRole": notImplemented,
  "/etcdserverpb.Auth/UserRevokeRole": notImplemented,
  "/etcdserverpb.Auth/RoleAdd": notImplemented,
  "/etcdserverpb.Auth/RoleGet": notImplemented,
  "/etcdserverpb.Auth/RoleList": notImplemented,
  "/etcdserverpb.Auth/RoleDelete": notImplemented,
  "/etcdserverpb.Auth/RoleGrantPermission": notImplemented,
  "/etcdserverpb.Auth/RoleRevokePermission": notImplemented,
  // They use the services above, whose rules hold for what they do there.
  "/v3lockpb.Lock/Lock": { kind: unary, arrival: voter },
  "/v3lockpb.Lock/Unlock": { kind: unary, arrival: voter },
  "/v3electionpb.Election/Campaign": { kind: unary, arrival: voter },
  "/v3electionpb.Election/Proclaim": { kind: unary, arrival: voter },
  "/v3electionpb.Election/Leader": { kind: unary, arrival: voter },
  "/v3electionpb.Election/Observe": { kind: "serverStream", arrival: voter },
  "/v3electionpb.Election/Resign": { kind: unary, arrival: voter },
  "/grpc.health.v1.Health/Check": { kind: unary, arrival: always },
  "/grpc.health.v1.Health/Watch": { kind: "serverStream", arrival: always },
  "/lockstep.Integrity/Report": { kind: unary, arrival: always },
} as const satisfies Readonly<Record<`/${string}/${string}`, RpcRules>>;

/** Full method names as on the wire. */
export type Rpc = keyof typeof rpcTable;
type Having<Column> = {
  [R in Rpc]: (typeof rpcTable)[R] extends Readonly<Record<Column & string, unknown>> ? R : never;
}[Rpc];
export type ReadingRpc = Having<"read">;
export type WritingRpc = Having<"write">;
export type ChangingRpc = Having<"change">;
export type RelayingRpc = Having<"relay">;

/** The HTTP pages of the client address, the pages and questions of other members. */
export const pageTable = {
  "client /version": always,
  "client /health": always,
  "client /livez": always,
  "client /readyz": always,
  "client /metrics": always,
  "peer /members": [],
  "peer /version": [],
  "peer /members/hashkv": [notStopping, soundState],
  "peer etcdHash": [notStopping, soundState],
} as const satisfies Readonly<Record<string, readonly rule.ArrivalRule[]>>;
export type Page = keyof typeof pageTable;
