/** The monitor wired to a member's engine: what it may do to state, log, raft and peers. */
import { KvError } from "../base/errors.js";
import { invariant } from "../base/invariant.js";
import { Incidents } from "../integrity/incidents/incidents.js";
import { IntegrityMonitor } from "../integrity/monitor.js";
import type { Quarantine } from "../integrity/quarantine-file.js";
import { adoptState } from "../integrity/repair/adoption.js";
import { checkSelf } from "../integrity/self-check.js";
import type { Platform } from "../platform/platform.js";
import type { RaftEvent } from "../raft/types.js";
import type { Machine } from "../state/types.js";
import type { MemberConfig } from "./config.js";
import type { Engine } from "./engine.js";

export interface MonitorWorld {
  readonly platform: Platform;
  readonly config: MemberConfig;
  /** The member starts in quarantine, with a stand-in. */
  readonly quarantine: Quarantine | undefined;
  post(event: RaftEvent): void;
  /** Ends when the other leads, or after a while. */
  handOver(to: bigint, done: () => void): void;
  changed(): void;
  isStopped(): boolean;
}

export function createMonitor(engine: Engine, world: MonitorWorld): IntegrityMonitor {
  const { platform, config } = world;
  const { clock, disk, hash } = platform;
  return new IntegrityMonitor(
    {
      ...{ clock, disk, selfId: engine.id, electionMs: config.electionMs, peers: engine.peers },
      stopsCluster: config.corruptScope === "cluster",
      incidents: new Incidents({
        ...{ clock, disk, sha256: hash.sha256, selfId: engine.id },
        right: () => ({ backend: engine.state.backend(), machine: engine.machine() }),
        openAside: (name, done) => engine.state.openAside(name, done),
        log: (level, message, fields) => platform.log(level, message, fields),
      }),
      raft: () => engine.raft,
      machine: () => engine.machine(),
      backendName: () => engine.state.name(),
      proposeAsLeader: (field, body) => engine.proposeAsLeader(field, body),
      standIn: () => standIn(engine),
      firstIndex: () => engine.log.firstIndex(),
      fetch: (from, index, done) => engine.transfer.healSink.fetch(from, index, done),
      adopt: (index, record, done) => adopt(engine, world, { index, record }, done),
      offer: (done) => engine.transfer.source.offer(done),
      checkSelf: (done) => {
        const { committer, state } = engine;
        const isStopped = (): boolean => world.isStopped();
        const failed = (error: Error): void => engine.fail(error);
        checkSelf({ clock, sha256: hash.sha256, committer, state, isStopped, failed }, (isSound) =>
          // A stand-in is sound, but says nothing.
          done(isSound && engine.monitor.quarantine() === undefined),
        );
      },
      mayLead: (isAllowed) => world.post({ kind: "mayLead", isAllowed }),
      handOver: () => {
        const successor = engine.leadership.successor();
        const stepDown = (): void => world.post({ kind: "stepDown" });
        if (successor === undefined) stepDown();
        else world.handOver(successor, stepDown);
      },
      failed: (error) => engine.fail(error),
      changed: () => world.changed(),
      unixMs: () => clock.unixMs(),
      request: (to, method, body, done) => engine.request(to, method, body, done),
      log: (level, message, fields) => platform.log(level, message, fields),
      entries: (low, high, bytesMax) => engine.log.entries(low, high, bytesMax),
      isStopped: () => world.isStopped(),
      letGo: () => letGo(engine),
    },
    world.quarantine,
  );
}

function standIn(engine: Engine): void {
  engine.transfer.source.close();
  engine.state.standIn();
  engine.committer.replaced();
  letGo(engine);
}

/** Who waits for an answer from our state is told to ask elsewhere. */
function letGo(engine: Engine): void {
  engine.watch.closeAll();
  const stopped = new KvError("stopped");
  engine.proposals.failAll(stopped);
  engine.reads.failAll(stopped);
}

function adopt(
  engine: Engine,
  world: MonitorWorld,
  fetched: { readonly index: number; record(machine: Machine): void },
  done: (error: Error | undefined) => void,
): void {
  const taken = engine.transfer.healSink.take(fetched.index);
  invariant(taken !== undefined, "a state is adopted that is not here");
  const { log, state, committer } = engine;
  const parts = {
    ...{ clock: world.platform.clock, log, state, committer },
    isStopped: () => world.isStopped(),
    failed: (error: Error) => engine.fail(error),
    record: (machine: Machine) => fetched.record(machine),
  };
  adoptState(parts, taken, (error) => {
    if (error === undefined) engine.watch.closeAll();
    done(error);
  });
}
