/**
 * Records what happens in a run, with causes, for reports. The cause of an event is the last
 * recorded one in the same turn of the clock, or in the turn that caused this turn.
 */
import { decodeEnvelope } from "../../peers/codec.js";
import { decodeMessage } from "../../raft/codec/message-codec.js";
import type { Message } from "../../raft/types.js";
import type { MemberRow, TraceEvent, TraceKind } from "../report/trace.js";
import type { SimClock } from "./platform/sim-clock.js";
import type { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

type Extra = Partial<Pick<TraceEvent, "peer" | "term" | "index" | "message">>;

export class TraceRecorder {
  readonly events: TraceEvent[] = [];
  readonly #clock: SimClock;
  /** The last recorded event by turn of the clock; the turns that follow from it inherit it. */
  readonly #byTurn = new Map<number, number>();
  readonly #roles = new Map<SimNode, string>();
  readonly #applied = new Map<SimNode, number>();
  readonly #sent: string[] = [];

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  record(kind: TraceKind, text: string, node?: SimNode, extra: Extra = {}): void {
    const id = this.events.length;
    const turn = this.#clock.currentId();
    const cause = this.#byTurn.get(turn) ?? this.#byTurn.get(this.#clock.currentCause());
    const atUs = this.#clock.nowUs();
    this.events.push({ id, cause, atUs, node: node?.name, kind, text, ...extra });
    this.#byTurn.set(turn, id);
  }

  /** A turn ended: its consequences follow from its event, even if nothing was recorded. */
  turned(): void {
    const turn = this.#clock.currentId();
    if (this.#byTurn.has(turn)) return;
    const cause = this.#byTurn.get(this.#clock.currentCause());
    if (cause !== undefined) this.#byTurn.set(turn, cause);
  }

  stepped(node: SimNode): void {
    const { member } = node;
    if (member === undefined) return;
    const { raft } = member.probe;
    const role = raft.isLeader() ? "leads" : raft.leader() === 0n ? "has no leader" : "follows";
    const text = `${role}, term ${raft.term()}`;
    if (this.#roles.get(node) !== text) {
      this.#roles.set(node, text);
      this.record("role", text, node, { term: raft.term() });
    }
    const { appliedIndex } = member.machine;
    if (this.#applied.get(node) === appliedIndex) return;
    this.#applied.set(node, appliedIndex);
    this.record("apply", `applied ${appliedIndex}`, node, { index: appliedIndex });
  }

  ended(node: SimNode, how: string): void {
    this.#roles.delete(node);
    this.#applied.delete(node);
    this.record("crash", how === "power" ? "power failure" : how, node);
  }

  /** Returns the message's number. */
  sent(from: SimNode, to: SimNode | undefined, bytes: Uint8Array): number {
    const text = messageText(bytes);
    const message = this.#sent.push(text) - 1;
    const peer = to === undefined ? {} : { peer: to.name };
    this.record("send", text, from, { message, ...peer });
    return message;
  }

  arrived(to: SimNode | undefined, message: number, how: "delivered" | "dropped"): void {
    const kind = how === "delivered" ? "receive" : "drop";
    this.record(kind, this.#sent[message] ?? "", to, { message });
  }
}

function messageText(bytes: Uint8Array): string {
  const envelope = decodeEnvelope(bytes);
  if (envelope?.kind === "raft") return raftText(decodeMessage(envelope.message));
  return envelope === undefined ? "unreadable" : `${envelope.kind} ${envelope.id}`;
}

function raftText(message: Message): string {
  const { type, term, index, entries, commit, reject } = message;
  const last = entries.length === 0 ? "" : ` +${entries.length}`;
  const refusal = reject ? " refused" : "";
  return `${type.slice(3)} t${term} i${index}${last} c${commit}${refusal}`;
}

/** The members as they are at the end. */
export function memberRows(cluster: SimCluster): MemberRow[] {
  return cluster.nodes.map((node) => {
    const { member, name, state } = node;
    const nothing = { term: 0, vote: "", commit: 0, applied: 0, lastIndex: 0, revision: 0 };
    if (member === undefined) return { name, state, role: "", ...nothing, digest: "" };
    const { term, vote, commit, role, lastIndex } = member.probe.raft.status();
    const { machine } = member;
    const root = machine.digests().root.subarray(0, 4);
    return {
      name,
      state: cluster.clock.isPaused(node.place) ? "paused" : state,
      role,
      term,
      vote: vote === 0n ? "" : (cluster.nodeOf(vote)?.name ?? vote.toString(16)),
      commit,
      applied: machine.appliedIndex,
      lastIndex,
      revision: machine.kv.revision(),
      digest: Array.from(root, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    };
  });
}
