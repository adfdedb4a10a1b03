/**
 * A cluster for tests of raft: members with a disk that loses what was not synced, and a network
 * that loses, repeats and reorders. Everything is drawn from one seed. After every event it checks:
 *
 *   election safety        at most one leader per term
 *   leader completeness    a new leader holds every committed entry
 *   state machine safety   no two members apply different entries at one index
 *   durable apply          what a member applies is on its own disk
 *   one vote               a member never votes twice in a term, also across restarts
 *   no loss                no disk loses what it promised, so nobody may say that one did
 *   reads                  a read point is not below what was committed when the read was asked
 */
import type { Rng } from "../platform/rng.js";
import { ClusterChecker } from "./cluster-checker.fixture.js";
import type { Disk, Member } from "./cluster-member.fixture.js";
import { decodeChange, encodeChange } from "./conformance/conf-change-text.fixture.js";
import { MemoryLog } from "./memory-log.fixture.js";
import { createRaftNode } from "./node.js";
import {
  type ConfChange,
  type ConfState,
  type Entry,
  EntryType,
  type Message,
  ProposalDropped,
  type RaftConfig,
  type RaftEvent,
  type SnapshotMeta,
} from "./types.js";

export const noLimit = Number.MAX_SAFE_INTEGER;

export class Cluster {
  readonly rng: Rng;
  readonly checker = new ClusterChecker();
  readonly members: Member[] = [];
  network: Message[] = [];
  /** Members on one side of a partition; empty: all hear each other. */
  cutOff: ReadonlySet<bigint> = new Set();
  #nextRead = 1;
  readonly #options: Partial<RaftConfig>;

  constructor(rng: Rng, start: ConfState, options: Partial<RaftConfig> = {}) {
    this.rng = rng;
    this.#options = options;
    const base: SnapshotMeta = { index: 1, term: 1, confState: start };
    for (const id of [...start.voters, ...start.learners]) this.addMember(id, base);
  }

  /** A member that gets its configuration later starts with an empty base. */
  addMember(id: bigint, base: SnapshotMeta): Member {
    const disk: Disk = { hardState: { term: 0, vote: 0n, commit: 0 }, base, entries: [] };
    const member = { id, disk, backend: base } as Member;
    this.#start(member);
    this.members.push(member);
    return member;
  }

  member(id: bigint): Member | undefined {
    return this.members.find((one) => one.id === id);
  }

  leaders(): Member[] {
    return this.members.filter((one) => one.node.isLeader());
  }

  /** The leader of the highest term. A removed leader may not have heard that it was replaced. */
  leader(): Member | undefined {
    return this.leaders().sort((a, b) => b.node.term() - a.node.term())[0];
  }

  step(member: Member, event: RaftEvent): void {
    try {
      member.node.step(event);
    } catch (error) {
      if (!(error instanceof ProposalDropped)) throw error;
    }
    this.#handOut(member);
    if (member.node.isLeader()) this.checker.leads(member);
  }

  tick(member: Member): void {
    this.step(member, { kind: "tick" });
  }

  propose(member: Member, text: string): void {
    const data = new TextEncoder().encode(text);
    this.step(member, { kind: "proposed", entries: [{ type: EntryType.normal, data }] });
  }

  proposeChange(member: Member, change: ConfChange): void {
    const entries = [{ type: EntryType.confChangeV2, data: encodeChange(change) }];
    this.step(member, { kind: "proposed", entries });
  }

  read(member: Member): void {
    const id = this.#nextRead++;
    this.checker.readAsked(id);
    this.step(member, { kind: "readIndex", id });
  }

  /** Delivers the message at `at`. With `isRepeated` it also stays in the network. */
  deliver(at: number, isRepeated: boolean): void {
    const message = this.network[at] as Message;
    if (!isRepeated) this.network.splice(at, 1);
    const isCut = this.cutOff.has(message.from) !== this.cutOff.has(message.to);
    const member = this.member(message.to);
    if (member !== undefined && !isCut) this.step(member, { kind: "received", message });
  }

  /** The oldest write of this member is done. */
  completeWrite(member: Member): void {
    const work = member.pending.shift();
    if (work === undefined) return;
    member.unsynced.push(work);
    if (work.mustSync) this.#sync(member, member.unsynced.length);
    for (const message of work.sendAfter) {
      this.checker.sends(member, message);
      if (message.to === member.id) this.step(member, { kind: "received", message });
      else this.network.push(message);
    }
    const last = work.entries.at(-1);
    if (last !== undefined) {
      this.step(member, { kind: "persisted", index: last.index, term: last.term });
    }
    if (work.snapshot !== undefined) this.#installed(member, work.snapshot);
  }

  /** Loses writes that were not synced, except a part that reached the disk without a report. */
  crash(member: Member): void {
    member.unsynced.push(...member.pending);
    this.#sync(member, this.rng.int(member.unsynced.length + 1));
    this.#start(member);
  }

  /** Drops the log up to the applied index, less a few entries. */
  compact(member: Member): void {
    const index = Math.min(member.appliedIndex - this.rng.int(3), member.disk.base.index + 20);
    this.#commitBackend(member);
    if (index < member.log.firstIndex() || member.pending.length > 0) return;
    const term = member.log.term(index);
    if (term === undefined) return;
    this.#sync(member, member.unsynced.length);
    member.log.compact(index);
    const { disk } = member;
    disk.entries = disk.entries.filter((entry) => entry.index > index);
    disk.base = { index, term, confState: disk.base.confState };
  }

  #start(member: Member): void {
    const { disk, backend } = member;
    member.log = new MemoryLog({ ...disk.base, confState: backend.confState });
    member.log.append(disk.entries);
    member.log.hardState = disk.hardState;
    member.log.latestSnapshot = () => (member.backend.index > 0 ? member.backend : undefined);
    member.pending = [];
    member.unsynced = [];
    member.appliedIndex = backend.index;
    member.confState = backend.confState;
    const config: RaftConfig = {
      id: member.id,
      electionTicks: 5,
      heartbeatTicks: 1,
      preVote: true,
      checkQuorum: true,
      messageBytesMax: 100,
      inflightMessagesMax: 4,
      inflightBytesMax: 200,
      uncommittedBytesMax: 400,
      applyBytesMax: 80,
      ...this.#options,
      appliedIndex: backend.index,
    };
    member.node = createRaftNode(config, member.log, this.rng);
  }

  #handOut(member: Member): void {
    for (
      let ready = member.node.takeReady();
      ready !== undefined;
      ready = member.node.takeReady()
    ) {
      for (const message of ready.send) this.#send(member, message);
      for (const found of ready.contradictions) this.checker.contradicted(found);
      for (const read of ready.readStates) this.checker.readAnswered(read.id, read.index);
      const { append, apply } = ready;
      if (append !== undefined) {
        if (append.snapshot !== undefined) member.log.restore(append.snapshot);
        member.log.append(append.entries);
        member.pending.push(append);
      }
      for (const entry of apply) this.#apply(member, entry);
      if (apply.length > 0) member.node.step({ kind: "applied", index: member.appliedIndex });
    }
  }

  #apply(member: Member, entry: Entry): void {
    this.checker.applies(member, entry);
    member.appliedIndex = entry.index;
    if (entry.type !== EntryType.normal) {
      member.confState = member.node.applyConfChange(decodeChange(entry));
    }
    if (this.rng.int(4) === 0) this.#commitBackend(member);
  }

  #commitBackend(member: Member): void {
    const index = member.appliedIndex;
    const term = index === 0 ? 0 : (member.log.term(index) ?? member.backend.term);
    member.backend = { index, term, confState: member.confState };
  }

  #installed(member: Member, snapshot: SnapshotMeta): void {
    member.appliedIndex = snapshot.index;
    member.confState = snapshot.confState;
    member.backend = snapshot;
    this.step(member, { kind: "snapshotInstalled", index: snapshot.index });
  }

  #send(member: Member, message: Message): void {
    this.checker.sends(member, message);
    this.network.push(message);
    if (message.type !== "MsgSnap") return;
    const ok = this.rng.int(4) > 0;
    member.node.step({ kind: "snapshotReported", id: message.to, ok });
  }

  #sync(member: Member, count: number): void {
    const { disk } = member;
    for (const work of member.unsynced.splice(0, count)) {
      if (work.hardState !== undefined) disk.hardState = work.hardState;
      if (work.snapshot !== undefined) {
        disk.base = work.snapshot;
        disk.entries = [];
        // The content is installed before the snapshot is recorded.
        if (member.backend.index < work.snapshot.index) member.backend = work.snapshot;
      }
      const from = work.entries[0]?.index;
      if (from === undefined) continue;
      const kept = disk.entries.filter((entry) => entry.index < from);
      const added = work.entries.filter((entry) => entry.index > disk.base.index);
      disk.entries = [...kept, ...added];
    }
  }
}

/** Same seed, same sequence (xorshift32). */
export function seededRng(seed: number): Rng {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  return {
    int(below: number): number {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      state >>>= 0;
      return state % below;
    },
    fork: (label: string) => seededRng(seed * 31 + label.length),
  };
}
