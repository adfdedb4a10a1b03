/**
 * Runs the commands of a scenario: a handful of members, one list of messages under way, and the
 * output of what happens. Follows the environment that etcd-io/raft's scenario files are written
 * for: members in order of id, messages first in first out for each receiver, nested output
 * indented. Log lines of the library are not produced.
 */
import { makeMessage } from "../message.js";
import { isFromStranger } from "../node.js";
import {
  type ConfChange,
  type ConfState,
  EntryType,
  ProposalDropped,
  type RaftConfig,
  type RaftEvent,
  type SnapshotMeta,
} from "../types.js";
import { encodeChange, parseChanges } from "./conf-change-text.fixture.js";
import { type Argument, argumentOf, type Case } from "./datadriven.fixture.js";
import {
  describeEntry,
  describeMessage,
  describeProgress,
  indent,
  roleName,
} from "./describe.fixture.js";
import {
  type Delivery,
  InteractionNode,
  messageDelivery,
  type ThreadWork,
} from "./interaction-node.fixture.js";

interface Recipient {
  readonly id: bigint;
  readonly isDropped: boolean;
}

const electionTicks = 3;
const noLimit = Number.MAX_SAFE_INTEGER;

export class InteractionEnvironment {
  readonly #nodes: InteractionNode[] = [];
  #underWay: Delivery[] = [];
  #output: string[] = [];
  #isQuiet = false;

  /** The output of one command, as the file would show it without log lines. */
  run(command: Case): string {
    this.#output = [];
    const wasQuiet = this.#isQuiet;
    const error = this.#handle(command);
    const output = this.#isQuiet ? [] : this.#output;
    if (error !== undefined) output.push(error);
    if (command.command !== "log-level") this.#isQuiet = wasQuiet;
    return output.length === 0 ? "ok" : output.join("\n");
  }

  #handle(command: Case): string | undefined {
    switch (command.command) {
      case "add-nodes":
        return this.#addNodes(command);
      case "propose":
        return this.#propose(command);
      case "propose-conf-change":
        return this.#proposeConfChange(command);
      case "deliver-msgs":
        return this.#deliverMessages(command);
      case "stabilize":
        return this.#stabilizeAll(command);
      case "log-level":
        this.#isQuiet = command.args[0]?.key === "none";
        return undefined;
      case "process-ready":
        return this.#each(command, "handling Ready", (node) => this.#processReady(node));
      case "process-append-thread":
        return this.#each(command, "processing append thread", (node) =>
          this.#runThread(node.appendWork, "no append work to perform"),
        );
      case "process-apply-thread":
        return this.#each(command, "processing apply thread", (node) =>
          this.#runThread(node.applyWork, "no apply work to perform"),
        );
      default:
        return this.#handleOne(command);
    }
  }

  /** Runs a command to one member, which is the first argument. */
  #handleOne(command: Case): string | undefined {
    if (command.command === "raft-state") return this.#printStates();
    if (command.command === "transfer-leadership") {
      const to = BigInt(argumentOf(command, "to") as string);
      this.#node(argumentOf(command, "from")).step({ kind: "transferLeader", to });
      return undefined;
    }
    const node = this.#node(command.args[0]?.key);
    const second = command.args[1]?.key;
    switch (command.command) {
      case "campaign":
        return void node.step({ kind: "campaign" });
      case "tick-election":
        for (let tick = 0; tick < electionTicks; tick++) node.step({ kind: "tick" });
        return undefined;
      case "tick-heartbeat":
        return void node.step({ kind: "tick" });
      case "set-randomized-election-timeout":
        node.state.electionTimeout = Number(argumentOf(command, "timeout"));
        return undefined;
      case "compact":
        node.log.compact(Number(second));
        return this.#printLog(node);
      case "raft-log":
        return this.#printLog(node);
      case "status":
        return this.#printProgress(node);
      case "report-unreachable":
        return void node.step({ kind: "unreachable", id: BigInt(second as string) });
      case "forget-leader":
        return void node.step({ kind: "forgetLeader" });
      case "send-snapshot":
        return this.#sendSnapshot(node, BigInt(second as string));
      default:
        throw new Error(`line ${command.line}: unknown command ${command.command}`);
    }
  }

  #addNodes(command: Case): string | undefined {
    const index = Number(argumentOf(command, "index") ?? 0);
    const start: SnapshotMeta = {
      index,
      term: index === 0 ? 0 : 1,
      confState: confStateOf(command.args),
    };
    const isAsync = argumentOf(command, "async-storage-writes") === "true";
    for (let count = Number(command.args[0]?.key); count > 0; count--) {
      const id = BigInt(this.#nodes.length + 1);
      const config = configOf(command, { id, appliedIndex: index, isAsync });
      this.#nodes.push(new InteractionNode(config, start, isAsync));
    }
    return undefined;
  }

  #propose(command: Case): string | undefined {
    const data = new TextEncoder().encode(command.args[1]?.key ?? "");
    return this.#proposeTo(this.#node(command.args[0]?.key), EntryType.normal, data);
  }

  #proposeConfChange(command: Case): string | undefined {
    const isV1 = argumentOf(command, "v1") === "true";
    const transitions = { auto: "auto", implicit: "jointImplicit", explicit: "jointExplicit" };
    const named = (argumentOf(command, "transition") ?? "auto") as keyof typeof transitions;
    const change: ConfChange = {
      transition: transitions[named] as ConfChange["transition"],
      changes: parseChanges(command.input),
      context: new Uint8Array(0),
    };
    const type = isV1 ? EntryType.confChange : EntryType.confChangeV2;
    return this.#proposeTo(this.#node(command.args[0]?.key), type, encodeChange(change));
  }

  #proposeTo(node: InteractionNode, type: EntryType, data: Uint8Array): string | undefined {
    try {
      node.step({ kind: "proposed", entries: [{ type, data }] });
      return undefined;
    } catch (error) {
      if (!(error instanceof ProposalDropped)) throw error;
      return "raft proposal dropped";
    }
  }

  #deliverMessages(command: Case): string | undefined {
    const type = argumentOf(command, "type");
    const recipients: Recipient[] = [];
    for (const { key, values } of command.args) {
      if (values.length === 0) recipients.push({ id: BigInt(key), isDropped: false });
      if (key !== "drop") continue;
      for (const id of values) recipients.push({ id: BigInt(id), isDropped: true });
    }
    let count = 0;
    for (const recipient of recipients) count += this.#deliver(recipient, type);
    if (count === 0) this.#print("no messages");
    return undefined;
  }

  #deliver({ id, isDropped }: Recipient, type?: string): number {
    const isMeant = (delivery: Delivery): boolean =>
      delivery.to === id &&
      !(isDropped && delivery.isLocal) &&
      (type === undefined || delivery.type === type);
    const taken = this.#underWay.filter(isMeant);
    this.#underWay = this.#underWay.filter((delivery) => !isMeant(delivery));
    for (const { text, events } of taken) {
      this.#print(isDropped ? `dropped: ${text}` : text);
      if (isDropped) continue;
      for (const event of events) this.#step(this.#node(id), event);
    }
    return taken.length;
  }

  /** An answer that the node ignores is reported as the library reports it. */
  #step(node: InteractionNode, event: RaftEvent): void {
    if (event.kind === "received" && isFromStranger(node.state, event.message)) {
      this.#print("raft: cannot step as peer not found");
    }
    node.step(event);
  }

  #stabilizeAll(command: Case): string | undefined {
    if (argumentOf(command, "log-level") === "none") this.#isQuiet = true;
    const ids = command.args.filter((arg) => arg.values.length === 0);
    const nodes = ids.length === 0 ? this.#nodes : ids.map((arg) => this.#node(arg.key));
    while (this.#stabilizeOnce(nodes));
    return undefined;
  }

  /** Runs one round of everything. Returns false when nothing was left to do. */
  #stabilizeOnce(nodes: readonly InteractionNode[]): boolean {
    let isBusy = false;
    const section = (node: InteractionNode, title: string, run: () => void): void => {
      isBusy = true;
      this.#section(node, title, run);
    };
    for (const node of nodes) {
      if (node.hasReady()) section(node, "handling Ready", () => this.#processReady(node));
    }
    for (const node of nodes) {
      if (!this.#underWay.some(({ to }) => to === node.id)) continue;
      const recipient = { id: node.id, isDropped: false };
      section(node, "receiving messages", () => this.#deliver(recipient));
    }
    for (const node of nodes) {
      if (node.appendWork.length === 0) continue;
      section(node, "processing append thread", () => {
        while (node.appendWork.length > 0) this.#runThread(node.appendWork, "");
      });
    }
    for (const node of nodes) {
      if (node.applyWork.length === 0) continue;
      section(node, "processing apply thread", () => {
        while (node.applyWork.length > 0) this.#runThread(node.applyWork, "");
      });
    }
    return isBusy;
  }

  #processReady(node: InteractionNode): void {
    const { text, deliveries } = node.processReady();
    this.#print(text);
    this.#underWay.push(...deliveries);
  }

  #runThread(queue: ThreadWork[], idleText: string): void {
    const work = queue.shift();
    if (work === undefined) {
      this.#print(idleText);
      return;
    }
    this.#print("Processing:", work.text);
    work.run();
    this.#print("Responses:", ...work.responses.map((response) => response.text));
    this.#underWay.push(...work.responses);
  }

  /** Runs the command at each member. Several members get a headline each. */
  #each(command: Case, title: string, run: (node: InteractionNode) => void): undefined {
    const nodes = command.args.map((arg) => this.#node(arg.key));
    for (const node of nodes) {
      if (nodes.length > 1) this.#section(node, title, () => run(node));
      else run(node);
    }
  }

  #section(node: InteractionNode, title: string, run: () => void): void {
    const outer = this.#output;
    this.#output = [];
    run();
    outer.push(`> ${node.id} ${title}`, ...this.#output.map(indent));
    this.#output = outer;
  }

  #sendSnapshot(from: InteractionNode, to: bigint): undefined {
    const snapshot = from.log.snapshot();
    const { term } = from.state;
    const message = makeMessage({ type: "MsgSnap", from: from.id, to, term, snapshot });
    this.#underWay.push(messageDelivery(message));
    this.#print(describeMessage(message));
  }

  #printLog({ log }: InteractionNode): undefined {
    const [first, last] = [log.firstIndex(), log.lastIndex()];
    if (last < first) this.#print(`log is empty: first index=${first}, last index=${last}`);
    else this.#print(...(log.entries(first, last + 1, noLimit) ?? []).map(describeEntry));
  }

  #printProgress({ state }: InteractionNode): undefined {
    if (state.role === "leader") this.#print(...state.tracker.peers.map(describeProgress));
  }

  #printStates(): undefined {
    for (const { state } of this.#nodes) {
      const voter = state.tracker.isVoter(state.id) ? "(Voter)" : "(Non-Voter)";
      const { id, role, term, leader } = state;
      this.#print(`${id}: ${roleName(role)} ${voter} Term:${term} Lead:${leader}`);
    }
  }

  #node(id: bigint | string | undefined): InteractionNode {
    const node = this.#nodes[Number(id) - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  #print(...lines: readonly string[]): void {
    this.#output.push(...lines);
  }
}

function confStateOf(args: readonly Argument[]): ConfState {
  const ids = (key: string) =>
    (args.find((arg) => arg.key === key)?.values ?? []).map((value) => BigInt(value));
  return {
    voters: ids("voters"),
    learners: ids("learners"),
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
}

function configOf(
  command: Case,
  node: { readonly id: bigint; readonly appliedIndex: number; readonly isAsync: boolean },
): RaftConfig {
  const isSet = (key: string) => argumentOf(command, key) === "true";
  return {
    id: node.id,
    electionTicks,
    heartbeatTicks: 1,
    preVote: isSet("prevote"),
    checkQuorum: isSet("checkquorum"),
    messageBytesMax: noLimit,
    inflightMessagesMax: Number(argumentOf(command, "inflight") ?? noLimit),
    inflightBytesMax: noLimit,
    uncommittedBytesMax: noLimit,
    applyBytesMax: Number(argumentOf(command, "max-committed-size-per-ready") ?? noLimit),
    appliedIndex: node.appliedIndex,
    stepDownOnRemoval: isSet("step-down-on-removal"),
    variants: {
      acceptAnyConfChange: isSet("disable-conf-change-validation"),
      leaseReads: argumentOf(command, "read-only") === "lease-based",
      applyBeforeDurable: !node.isAsync,
    },
  };
}
