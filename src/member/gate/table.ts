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
 * - `queue`: when a message on a stream must wait until an earlier one is answered. It sees how many
 *   messages of that stream wait.
 *
 * The first refusal counts. A rule sees the client's metadata (`Client`); the identity that goes into
 * the log is `caller` of the proposal (wire/proposal.ts), which `Gate.write` hands on.
 */
import * as rule from "./rules.js";

/**
 * Who may call while auth is on, as in etcd with its security fixes up to 3.7. "open": everybody.
 * "user": whoever has logged in. "certified": they, and whoever showed a certificate of the trusted
 * authority: Patroni asks for the members before it logs in. "root": users with the role root. "own": the service decides,
 * because it depends on keys, or the entry decides when it is applied.
 */
export type Who = "open" | "user" | "certified" | "root" | "own";

export interface RpcRules {
  readonly kind: "unary" | "serverStream" | "bidi";
  /** Asked between `arrival` and the handler, because a caller may have to be waited for. */
  readonly who: Who;
  readonly arrival: readonly rule.ArrivalRule[];
  readonly read?: readonly rule.ReadRule[];
  readonly write?: readonly rule.WriteRule[];
  readonly change?: readonly rule.ChangeRule[];
  readonly relay?: readonly rule.ArrivalRule[];
  readonly queue?: readonly rule.QueueRule[];
}

const { notStopping, soundState, notLearner, leaderIfRequired, noCorruptAlarm } = rule;

/** The rules for what every member answers as long as it runs. */
const always = [notStopping];
/** The rules for what learners answer, too. */
const member = [notStopping, soundState, leaderIfRequired];
const voter = [notStopping, notLearner, soundState, leaderIfRequired];
const keys = [...voter, noCorruptAlarm];

const backPressure = [rule.applyKeepsUp, rule.queueHasRoom];
const write = [notStopping, soundState, rule.withinSize, ...backPressure, rule.withinQuota];
const change = [notStopping, soundState, ...backPressure, rule.keepsQuorum];
const relay = [notStopping, soundState];
const queue = [rule.streamHasRoom];

const unary = "unary";

/** The rules of each RPC, by its full name. table.test.ts compares the names with proto/. */
export const rpcTable = {
  "/etcdserverpb.KV/Range": {
    who: "own",
    kind: unary,
    arrival: [...member, noCorruptAlarm],
    read: [rule.localOnLearner],
  },
  "/etcdserverpb.KV/RangeStream": {
    kind: "serverStream",
    who: "own",
    arrival: keys,
    read: [],
  },
  "/etcdserverpb.KV/Put": { kind: unary, who: "own", arrival: keys, write },
  "/etcdserverpb.KV/DeleteRange": { kind: unary, who: "own", arrival: keys, write },
  "/etcdserverpb.KV/Txn": { kind: unary, who: "own", arrival: keys, read: [], write },
  "/etcdserverpb.KV/Compact": { kind: unary, who: "root", arrival: keys, write },
  "/etcdserverpb.Watch/Watch": { kind: "bidi", who: "own", arrival: voter, queue },
  "/etcdserverpb.Lease/LeaseGrant": { kind: unary, who: "user", arrival: voter, write },
  "/etcdserverpb.Lease/LeaseRevoke": { kind: unary, who: "own", arrival: voter, write },
  "/etcdserverpb.Lease/LeaseKeepAlive": {
    kind: "bidi",
    who: "own",
    arrival: voter,
    relay,
    queue,
  },
  "/etcdserverpb.Lease/LeaseTimeToLive": { kind: unary, who: "own", arrival: voter, relay },
  "/etcdserverpb.Lease/LeaseLeases": { kind: unary, who: "own", arrival: voter },
  "/etcdserverpb.Cluster/MemberAdd": { kind: unary, who: "root", arrival: voter, change },
  "/etcdserverpb.Cluster/MemberRemove": { kind: unary, who: "root", arrival: voter, change },
  "/etcdserverpb.Cluster/MemberUpdate": { kind: unary, who: "root", arrival: voter, change },
  "/etcdserverpb.Cluster/MemberList": { kind: unary, who: "certified", arrival: voter, read: [] },
  "/etcdserverpb.Cluster/MemberPromote": { kind: unary, who: "root", arrival: voter, change },
  "/etcdserverpb.Maintenance/Alarm": { kind: unary, who: "own", arrival: voter, write },
  "/etcdserverpb.Maintenance/Status": { kind: unary, who: "user", arrival: member },
  "/etcdserverpb.Maintenance/Defragment": { kind: unary, who: "root", arrival: voter },
  "/etcdserverpb.Maintenance/Hash": { kind: unary, who: "root", arrival: voter },
  "/etcdserverpb.Maintenance/HashKV": { kind: unary, who: "root", arrival: voter },
  "/etcdserverpb.Maintenance/Snapshot": { kind: "serverStream", who: "root", arrival: member },
  "/etcdserverpb.Maintenance/MoveLeader": { kind: unary, who: "root", arrival: voter },
  "/etcdserverpb.Maintenance/Downgrade": {
    kind: unary,
    who: "root",
    arrival: voter,
    read: [],
    write,
  },
  "/etcdserverpb.Auth/Authenticate": { kind: unary, who: "open", arrival: voter, write },
  "/etcdserverpb.Auth/AuthEnable": { kind: unary, who: "own", arrival: voter, write },
  "/etcdserverpb.Auth/AuthDisable": { kind: unary, who: "own", arrival: voter, write },
  "/etcdserverpb.Auth/AuthStatus": { kind: unary, who: "own", arrival: voter, read: [] },
  "/etcdserverpb.Auth/UserAdd": { kind: unary, who: "own", arrival: voter, write },
  "/etcdserverpb.Auth/UserGet": { kind: unary, who: "own", arrival: voter, read: [] },
  "/etcdserverpb.Auth/UserList": { kind: unary, who: "own", arrival: voter, read: [] },
  "/etcdserverpb.Auth/UserDelete": { kind: unary, who: "own", arrival: voter, write },
  "/etcdserverpb.Auth/UserChangePassword": {
    kind: unary,
    who: "own",
    arrival: voter,
    write,
  },
  "/etcdserverpb.Auth/UserGrantRole": { kind: unary, who: "own", arrival: voter, write },
  "/etcdserverpb.Auth/UserRevokeRole": {
    kind: unary,
    who: "own",
    arrival: voter,
    write,
  },
  "/etcdserverpb.Auth/RoleAdd": { kind: unary, who: "own", arrival: voter, write },
  "/etcdserverpb.Auth/RoleGet": { kind: unary, who: "own", arrival: voter, read: [] },
  "/etcdserverpb.Auth/RoleList": { kind: unary, who: "own", arrival: voter, read: [] },
  "/etcdserverpb.Auth/RoleDelete": { kind: unary, who: "own", arrival: voter, write },
  "/etcdserverpb.Auth/RoleGrantPermission": {
    kind: unary,
    who: "own",
    arrival: voter,
    write,
  },
  "/etcdserverpb.Auth/RoleRevokePermission": {
    kind: unary,
    who: "own",
    arrival: voter,
    write,
  },
  // Lock and election use the services above: the rules of those hold for what they do there.
  "/v3lockpb.Lock/Lock": { kind: unary, who: "own", arrival: voter },
  "/v3lockpb.Lock/Unlock": { kind: unary, who: "own", arrival: voter },
  "/v3electionpb.Election/Campaign": { kind: unary, who: "own", arrival: voter },
  "/v3electionpb.Election/Proclaim": { kind: unary, who: "own", arrival: voter },
  "/v3electionpb.Election/Leader": { kind: unary, who: "own", arrival: voter },
  "/v3electionpb.Election/Observe": { kind: "serverStream", who: "own", arrival: voter },
  "/v3electionpb.Election/Resign": { kind: unary, who: "own", arrival: voter },
  "/grpc.health.v1.Health/Check": { kind: unary, who: "open", arrival: always },
  "/grpc.health.v1.Health/Watch": { kind: "serverStream", who: "open", arrival: always },
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": {
    kind: "bidi",
    who: "open",
    arrival: always,
  },
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": {
    kind: "bidi",
    who: "open",
    arrival: always,
  },
  "/lockstep.Integrity/Report": { kind: unary, who: "root", arrival: always },
} as const satisfies Readonly<Record<`/${string}/${string}`, RpcRules>>;

/** Full method names as on the wire. */
export type Rpc = keyof typeof rpcTable;
type Having<Column> = {
  [R in Rpc]: (typeof rpcTable)[R] extends Readonly<Record<Column & string, unknown>> ? R : never;
}[Rpc];
/** The RPCs that may read state through the gate. */
export type ReadingRpc = Having<"read">;
/** The RPCs that may put a request into the log. */
export type WritingRpc = Having<"write">;
/** The RPCs that may change the membership. */
export type ChangingRpc = Having<"change">;
/** The RPCs that another member may answer in this one's place. */
export type RelayingRpc = Having<"relay">;
/** The RPCs whose stream may hold messages that wait. */
export type QueueingRpc = Having<"queue">;

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
/** The names of the pages: the address, then the path or the question of another member. */
export type Page = keyof typeof pageTable;
