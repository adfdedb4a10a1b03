/**
 * The actors of an etcd member around its bolt transaction: the apply loop and every other
 * committer. IndexRule, four switches, holds the differences between `oldest`, `enhanced` and
 * `final`. Lock, write, hook, commit and unlock are separate steps, as in the real code.
 */
import { confStateRow, confStateWith, localPrefix, numberIn, sectionsOf } from "./log-entry.js";
import { type BoltMember, entryAt, putIndex } from "./member-model.js";
import type { ActorName } from "./plan.js";
import {
  type Actor,
  forEntry,
  forLimit,
  type Steps,
  type StudyStep,
  step,
  stepWhen,
} from "./step.js";

export interface IndexRule {
  /** Where the new index goes before the entry takes the mutex. */
  readonly beforeLock: "memory" | "applying";
  /** Key-value changes write the index in their own section. */
  readonly savesWithKeys: boolean;
  /** Every commit first writes the index from memory. */
  readonly hasHook: boolean;
}

export function boltActors(member: BoltMember, rule: IndexRule): readonly Actor[] {
  return [
    { name: "apply", steps: applyLoop(member, rule) },
    { name: "ticker", steps: ticker(member, rule) },
    { name: "worker", steps: compactionWorker(member, rule) },
    { name: "backup", steps: backup(member, rule) },
    { name: "defrag", steps: defrag(member, rule) },
  ];
}

function* applyLoop(member: BoltMember, rule: IndexRule): Steps {
  const { plan } = member;
  for (let index = member.applied + 1; index <= plan.log.length; index++) {
    yield* forEntry(index, applyEntry(member, rule, index));
    if (index % plan.snapshotEvery === 0) {
      yield* forEntry(index, forLimit("snapshotEvery", takeSnapshot(member, rule, index)));
    }
  }
}

function* applyEntry(member: BoltMember, rule: IndexRule, index: number): Steps {
  const { store, plan, counters } = member;
  const entry = entryAt(plan, index);
  yield beginEntry(member, rule, index);
  const byHook = plan.hazards.confStateByHook && rule.hasHook && entry.kind === "confChange";
  if (byHook) {
    const waiting = member.confState === undefined ? [] : [member.confState];
    const known = new Map([...store.rows, ...waiting]);
    const row = [confStateRow, confStateWith(known, entry.member)] as const;
    yield step(`${row[0]} := ${row[1]}`, () => {
      member.confState = row;
    });
  }
  const sections = sectionsOf(entry, store.rows);
  for (const section of sections) {
    const rows = byHook ? section.filter(([name]) => name !== confStateRow) : section;
    yield lockInsideApply(member, rule);
    yield step(`write ${rows.map(([name, value]) => `${name}=${value}`).join(", ")}`, () => {
      store.put("apply", rows);
    });
    if (rule.savesWithKeys && entry.kind === "put") {
      yield step(`write index=${index}`, () => putIndex(member, "apply", member.memoryIndex));
    }
    if (store.pending >= plan.batchLimit) {
      yield* forLimit("batchLimit", hookAndCommit(member, rule, "apply"));
    }
    yield unlock(member, "apply");
  }
  const keepsIndex = entry.kind === "rejected" && plan.hazards.rejectedKeepsIndex;
  if (sections.length === 0 && rule.beforeLock === "applying" && !keepsIndex) {
    yield step(`memory index := ${index}`, () => {
      member.memoryIndex = index;
    });
  }
  // The compaction's own entry makes its row durable.
  if (entry.kind === "compaction" && sections.length > 0) yield* commit(member, rule, "apply");
  member.applied = index;
  counters.entries++;
}

function beginEntry(member: BoltMember, rule: IndexRule, index: number): StudyStep {
  if (rule.beforeLock === "memory") {
    return step(`memory index := ${index}`, () => {
      member.memoryIndex = index;
    });
  }
  return step(`applying := ${index}`, () => {
    member.applyingIndex = index;
  });
}

function lockInsideApply(member: BoltMember, rule: IndexRule): StudyStep {
  const publishes = rule.beforeLock === "applying";
  const text = publishes ? `lock; memory index := ${member.applyingIndex}` : "lock";
  return stepWhen(
    text,
    () => member.store.isFree,
    () => {
      member.store.lock("apply");
      if (publishes) member.memoryIndex = member.applyingIndex;
      member.counters.sections++;
    },
  );
}

function lock(member: BoltMember, holder: ActorName, isDue: () => boolean): StudyStep {
  const isReady = (): boolean => member.store.isFree && isDue();
  return stepWhen("lock", isReady, () => member.store.lock(holder));
}

function unlock(member: BoltMember, holder: ActorName): StudyStep {
  return step("unlock", () => member.store.unlock(holder));
}

function* hookAndCommit(member: BoltMember, rule: IndexRule, holder: ActorName): Steps {
  const { store, plan } = member;
  const skipsHook = holder === "defrag" && plan.hazards.defragSkipsHook;
  if (rule.hasHook && !skipsHook) {
    let written = 0;
    const hook = step("", () => {
      written = member.memoryIndex;
      if (member.confState !== undefined) store.put(holder, [member.confState]);
      member.confState = undefined;
      putIndex(member, holder, written);
    });
    yield { ...hook, text: () => `hook: write index=${written}` };
  }
  yield step("commit", () => {
    store.commit(holder);
    member.counters.commits++;
  });
}

/** Takes the mutex for the commit alone. */
function* commit(
  member: BoltMember,
  rule: IndexRule,
  holder: ActorName,
  isDue: () => boolean = () => true,
): Steps {
  yield lock(member, holder, isDue);
  yield* hookAndCommit(member, rule, holder);
  yield unlock(member, holder);
}

/** Done by the apply loop between two entries. Afterwards the log before it is gone. */
function* takeSnapshot(member: BoltMember, rule: IndexRule, index: number): Steps {
  if (rule.savesWithKeys) {
    yield lock(member, "apply", () => true);
    yield step(`write index=${index}`, () => putIndex(member, "apply", member.memoryIndex));
    yield unlock(member, "apply");
  }
  yield* commit(member, rule, "apply");
  yield step(`snapshot at ${index}: log cut`, () => {
    member.snapshotIndex = index;
  });
}

/** Wakes after some time, and commits if anything waits. */
function* ticker(member: BoltMember, rule: IndexRule): Steps {
  for (;;) yield* commit(member, rule, "ticker", () => member.store.pending > 0);
}

/** Removes old revisions in the background after a compaction, then commits. */
function* compactionWorker(member: BoltMember, rule: IndexRule): Steps {
  const { store } = member;
  const sweptRow = `${localPrefix}swept`;
  for (;;) {
    const isDue = (): boolean => numberIn(store.rows, "compacted") > numberIn(store.rows, sweptRow);
    yield lock(member, "worker", isDue);
    yield step("delete old revisions", () => {
      store.put("worker", [[sweptRow, numberIn(store.rows, "compacted")]]);
    });
    yield unlock(member, "worker");
    yield* commit(member, rule, "worker");
  }
}

/** A client asks for a copy of the database: the actor first commits everything. */
function* backup(member: BoltMember, rule: IndexRule): Steps {
  for (;;) yield* commit(member, rule, "backup");
}

/** Commits, copies the file and switches to it, while it holds the mutex. */
function* defrag(member: BoltMember, rule: IndexRule): Steps {
  for (;;) {
    yield lock(member, "defrag", () => true);
    yield* hookAndCommit(member, rule, "defrag");
    yield step("copy and change file", () => {});
    yield unlock(member, "defrag");
  }
}
