/**
 * Expected failures: a mistake of the caller, or something that the cluster cannot do now. Each has
 * a stable `reason` (listed in docs/errors.md), a gRPC status code, and etcd's exact text, because
 * etcd's clients match on the text. Programmer errors are not KvErrors: see invariant.ts.
 */

/** The gRPC status codes that this store answers with; the numbers are gRPC's. */
export const Code = {
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/** An expected failure. Compare `reason`, never the message. */
export class KvError extends Error {
  override readonly name = "KvError";
  readonly reason: ErrorReason;
  readonly code: Code;

  constructor(reason: ErrorReason) {
    const [code, text] = errorTable[reason];
    super(text);
    this.reason = reason;
    this.code = code;
  }

  /**
   * True if the same request may succeed later, or at another member. After a timeout the request
   * may have taken effect: then repeat it only if it may happen twice.
   */
  get retryable(): boolean {
    return this.code === Code.unavailable || laterReasons.has(this.reason);
  }
}

/**
 * reason -> [code, text]. Texts are etcd 3.6's. `tooManyRequests` and `notEnoughStartedMembers`
 * travel as Unknown because etcd's server maps them so (its clients match by text).
 */
export const errorTable = {
  emptyKey: [Code.invalidArgument, "etcdserver: key is not provided"],
  keyNotFound: [Code.invalidArgument, "etcdserver: key not found"],
  valueProvided: [Code.invalidArgument, "etcdserver: value is provided"],
  leaseProvided: [Code.invalidArgument, "etcdserver: lease is provided"],
  tooManyOps: [Code.invalidArgument, "etcdserver: too many operations in txn request"],
  duplicateKey: [Code.invalidArgument, "etcdserver: duplicate key given in txn request"],
  invalidSortOption: [Code.invalidArgument, "etcdserver: invalid sort option"],
  badMemberUrls: [Code.invalidArgument, "etcdserver: given member URLs are invalid"],
  requestTooLarge: [Code.invalidArgument, "etcdserver: request is too large"],
  wrongDowngradeVersionFormat: [
    Code.invalidArgument,
    "etcdserver: wrong downgrade target version format",
  ],
  invalidDowngradeTargetVersion: [
    Code.invalidArgument,
    "etcdserver: invalid downgrade target version",
  ],
  compacted: [Code.outOfRange, "etcdserver: mvcc: required revision has been compacted"],
  futureRevision: [Code.outOfRange, "etcdserver: mvcc: required revision is a future revision"],
  leaseTtlTooLarge: [Code.outOfRange, "etcdserver: too large lease TTL"],
  noSpace: [Code.resourceExhausted, "etcdserver: mvcc: database space exceeded"],
  answerTooLarge: [
    Code.resourceExhausted,
    "lockstep: the answer is larger than 512 MiB: ask in pages (a limit, then from behind the last key), with RangeStream, or with keys_only or count_only",
  ],
  streamOrder: [Code.unimplemented, "RangeStream does not support custom sort orders"],
  streamFilter: [Code.unimplemented, "RangeStream does not support revision filters"],
  answersTooLarge: [
    Code.resourceExhausted,
    "lockstep: large answers take more than 1 GiB of this member's memory, and none was read for 10 s: ask in pages (a limit, then from behind the last key) or with RangeStream, and read answers at once",
  ],
  answerUnread: [
    Code.resourceExhausted,
    "lockstep: the client took nothing of a large answer for 60 s, so the member let go of it: read at once, or ask in pages or with RangeStream",
  ],
  answerTooLargeApplied: [
    Code.resourceExhausted,
    "lockstep: the request was applied, but its answer is larger than 128 MiB and was not gathered: read with requests of their own, in pages or with RangeStream",
  ],
  tooManyRequests: [Code.unknown, "etcdserver: too many requests"],
  leaseNotFound: [Code.notFound, "etcdserver: requested lease not found"],
  leaseExists: [Code.failedPrecondition, "etcdserver: lease already exists"],
  memberNotFound: [Code.notFound, "etcdserver: member not found"],
  memberExists: [Code.failedPrecondition, "etcdserver: member ID already exist"],
  peerUrlExists: [Code.failedPrecondition, "etcdserver: Peer URLs already exists"],
  notEnoughStartedMembers: [
    Code.unknown,
    "etcdserver: re-configuration failed due to not enough started members",
  ],
  memberNotLearner: [Code.failedPrecondition, "etcdserver: can only promote a learner member"],
  learnerNotReady: [
    Code.failedPrecondition,
    "etcdserver: can only promote a learner member which is in sync with leader",
  ],
  tooManyLearners: [Code.failedPrecondition, "etcdserver: too many learner members in cluster"],
  clusterIdMismatch: [Code.failedPrecondition, "etcdserver: cluster ID mismatch"],
  notLeader: [Code.failedPrecondition, "etcdserver: not leader"],
  notSupportedForLearner: [Code.failedPrecondition, "etcdserver: rpc not supported for learner"],
  badLeaderTransferee: [Code.failedPrecondition, "etcdserver: bad leader transferee"],
  leaderTransferTimeout: [
    Code.unknown,
    "etcdserver: request timed out, leader transfer took too long",
  ],
  clusterVersionUnavailable: [
    Code.failedPrecondition,
    "etcdserver: cluster version not found during downgrade",
  ],
  downgradeInProcess: [
    Code.failedPrecondition,
    "etcdserver: cluster has a downgrade job in progress",
  ],
  noInflightDowngrade: [Code.failedPrecondition, "etcdserver: no inflight downgrade job"],
  noLeader: [Code.unavailable, "etcdserver: no leader"],
  leaderChanged: [Code.unavailable, "etcdserver: leader changed"],
  stopped: [Code.unavailable, "etcdserver: server stopped"],
  timeout: [Code.unavailable, "etcdserver: request timed out"],
  timeoutLeaderFailed: [
    Code.unavailable,
    "etcdserver: request timed out, possibly due to previous leader failure",
  ],
  timeoutConnectionLost: [
    Code.unavailable,
    "etcdserver: request timed out, possibly due to connection lost",
  ],
  timeoutWaitAppliedIndex: [
    Code.unavailable,
    "etcdserver: request timed out, waiting for the applied index took too long",
  ],
  unhealthyCluster: [Code.unavailable, "etcdserver: unhealthy cluster"],
  tooManyViews: [
    Code.resourceExhausted,
    "etcdserver: this member serves 32 snapshots and hashes at a time; try again when one has ended",
  ],
  viewTooSlow: [
    Code.unavailable,
    "etcdserver: the snapshot was not read for 60 s, or took more than 1 h, and has ended; start again",
  ],
  viewReplaced: [
    Code.unavailable,
    "etcdserver: the state that was read has been replaced several times, and was let go of; start again",
  ],
  readFailed: [
    Code.unavailable,
    "etcdserver: the read failed at this member, whose log tells why; ask another member",
  ],
  defragmentFailed: [
    Code.unknown,
    "etcdserver: defragmentation failed, and the state stays as it was; the member's log tells why",
  ],
  rootUserNotExist: [Code.failedPrecondition, "etcdserver: root user does not exist"],
  rootRoleNotExist: [Code.failedPrecondition, "etcdserver: root user does not have root role"],
  userExists: [Code.failedPrecondition, "etcdserver: user name already exists"],
  userEmpty: [Code.invalidArgument, "etcdserver: user name is empty"],
  userNotFound: [Code.failedPrecondition, "etcdserver: user name not found"],
  roleExists: [Code.failedPrecondition, "etcdserver: role name already exists"],
  roleNotFound: [Code.failedPrecondition, "etcdserver: role name not found"],
  roleEmpty: [Code.invalidArgument, "etcdserver: role name is empty"],
  nameTooLong: [
    Code.invalidArgument,
    "lockstep: a name of a user or role has at most 511 bytes; take a shorter one",
  ],
  authFailed: [
    Code.invalidArgument,
    "etcdserver: authentication failed, invalid user ID or password",
  ],
  noPasswordUser: [
    Code.unknown,
    "auth: authentication failed, password was given for no password user",
  ],
  passwordTooLong: [Code.unknown, "bcrypt: password length exceeds 72 bytes"],
  verifyOnly: [Code.unknown, "auth: token signing attempted with verify-only key"],
  mixedBuilds: [
    Code.failedPrecondition,
    "lockstep: users can be added when all members run this build; upgrade the others first",
  ],
  permissionNotGiven: [Code.invalidArgument, "etcdserver: permission not given"],
  permissionDenied: [Code.permissionDenied, "etcdserver: permission denied"],
  roleNotGranted: [Code.failedPrecondition, "etcdserver: role is not granted to the user"],
  permissionNotGranted: [
    Code.failedPrecondition,
    "etcdserver: permission is not granted to the role",
  ],
  authNotEnabled: [Code.failedPrecondition, "etcdserver: authentication is not enabled"],
  invalidAuthToken: [Code.unauthenticated, "etcdserver: invalid auth token"],
  invalidAuthMgmt: [Code.invalidArgument, "etcdserver: invalid auth management"],
  authOldRevision: [Code.invalidArgument, "etcdserver: revision of auth store is old"],
  corrupt: [Code.dataLoss, "etcdserver: corrupt cluster"],
  internal: [Code.internal, "internal error"],
  watchCanceled: [Code.canceled, "etcdserver: watch canceled"],
} as const satisfies Record<string, readonly [Code, string]>;

export type ErrorReason = keyof typeof errorTable;

const reasonsByText: ReadonlyMap<string, ErrorReason> = new Map(
  Object.entries(errorTable).map(([reason, [, text]]) => [text, reason as ErrorReason]),
);

/**
 * The reason that belongs to the text of an answer. A status of gRPC carries a code and a text, so
 * a client can tell errors of one code apart only by the text; etcd's clients do the same. Only for
 * clients: within a member, errors travel as KvError. Undefined: the text is no KvError's. The
 * maintenance service of etcd 3.4 and 3.5 gives the texts of etcd's package auth as they are.
 */
export function reasonOfText(text: string): ErrorReason | undefined {
  return reasonsByText.get(text) ?? reasonsByText.get(text.replace(/^auth: /, "etcdserver: "));
}

/** Reasons that pass with time although their code does not say so. */
const laterReasons: ReadonlySet<ErrorReason> = new Set([
  "tooManyRequests",
  "tooManyViews",
  "answersTooLarge",
  "notLeader",
  "learnerNotReady",
  "notEnoughStartedMembers",
  "leaderTransferTimeout",
  "downgradeInProcess",
] as const);

/** What an operator must do when a member's files can no longer be used. */
export const rebuildAdvice =
  "Remove this member from the cluster and add it anew with an empty data directory";

/**
 * Data on disk that this member cannot have written. A member that has peers heals. Otherwise the
 * entry point of the process prints the error and exits with 1.
 */
export class DamageError extends Error {
  override readonly name = "DamageError";
  /** The file, and the offset where it is known. Undefined: the state as a whole. */
  readonly where: string | undefined;
  /** What was found, in one sentence without a full stop. */
  readonly finding: string;
  /** What an operator must do if the member cannot heal by itself. */
  readonly advice: string | undefined;

  constructor(damage: {
    readonly where?: string;
    readonly finding: string;
    readonly advice?: string;
  }) {
    const { where, finding, advice } = damage;
    const found = where === undefined ? finding : `${where}: ${finding}`;
    super(advice === undefined ? found : `${found}. ${advice}`);
    this.where = where;
    this.finding = finding;
    this.advice = advice;
  }

  /** Place and finding, without the advice. */
  found(): string {
    return this.where === undefined ? this.finding : `${this.where}: ${this.finding}`;
  }
}

/** A configuration or environment that the member cannot start with; says what to change. */
export class StartError extends Error {
  override readonly name = "StartError";
}
