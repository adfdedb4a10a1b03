/** Makes the parts that compare, prove and repair the state. */
import { DamageError } from "../../base/errors.js";
import { EtcdChecks } from "../../integrity/etcd-checks/etcd-checks.js";
import { askHash, serveHash } from "../../integrity/etcd-checks/peer-hash.js";
import { Incidents } from "../../integrity/incidents/incidents.js";
import { IntegrityMonitor } from "../../integrity/monitor.js";
import { createMemberScrubber } from "../../integrity/scrub/member-scrubber.js";
import type { Scrubber } from "../../integrity/scrub/scrubber.js";
import { checkSelf } from "../../integrity/self-check.js";
import { AlarmRequest, AlarmRequest_AlarmAction, AlarmType } from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { Readiness } from "../startup/readiness.js";
import {
  adoptFetched,
  endWaiting,
  giveUpState,
  type StateExchangeParts,
} from "../state-exchange.js";
import type { Wiring } from "./wiring.js";

export function createMonitor(w: Wiring): IntegrityMonitor {
  const { platform, config } = w;
  const { memberId: selfId, log, quarantine } = w.booted;
  const { clock, disk, hash } = platform;
  const exchange = stateExchange(w);
  const selfCheck = { ...exchange, state: w.state, committer: w.committer };
  return new IntegrityMonitor(
    {
      ...{ clock, disk, selfId, electionMs: config.electionMs, peers: w.peers },
      stopsCluster: config.corruptScope === "cluster",
      incidents: new Incidents({
        ...{ clock, disk, sha256: hash.sha256, selfId, log: platform.log },
        right: () => ({ backend: w.state.backend(), machine: w.machine() }),
        openAside: (name, done) => w.state.openAside(name, done),
      }),
      raft: () => w.raft,
      machine: () => w.machine(),
      backendName: () => w.state.name(),
      proposeAsLeader: (field, body) => w.proposer.proposeAsLeader(field, body),
      standIn: () => giveUpState(exchange),
      firstIndex: () => log.firstIndex(),
      fetch: (from, index, done) => w.transfer.healSink.fetch(from, index, done),
      adopt: (index, record, done) => adoptFetched(exchange, { index, record }, done),
      offer: (done) => w.transfer.source.offer(done),
      checkSelf: (done) =>
        checkSelf({ ...selfCheck, sha256: hash.sha256 }, (isSound) =>
          // A stand-in passes the check, but it is not the member's state.
          done(isSound && w.monitor.quarantine() === undefined),
        ),
      mayLead: (isAllowed) =>
        w.driver.post(w.incarnations.filtered({ kind: "mayLead", isAllowed })),
      contradicted: (id, committed) =>
        w.driver.post(w.incarnations.filtered({ kind: "contradicted", id, committed })),
      handOver: () => {
        const successor = w.leadership.successor();
        const stepDown = (): void => w.driver.post(w.incarnations.filtered({ kind: "stepDown" }));
        if (successor === undefined) stepDown();
        else w.lifecycle.handOver(successor, stepDown);
      },
      failed: w.failed,
      changed: () => w.progressed(),
      unixMs: () => clock.unixMs(),
      request: (to, method, body, done) => w.request(to, method, body, done),
      log: platform.log,
      entries: (low, high, bytesMax) => log.entries(low, high, bytesMax),
      isStopped: () => w.lifecycle.isStopped(),
      letGo: () => endWaiting(exchange),
    },
    quarantine,
  );
}

function stateExchange(w: Wiring): StateExchangeParts {
  return {
    clock: w.platform.clock,
    log: w.booted.log,
    state: w.state,
    committer: w.committer,
    transfer: w.transfer,
    watch: w.watch,
    proposals: w.proposals,
    reads: w.reads,
    stateReplaced: () => w.authenticator.stateReplaced(),
    isStopped: () => w.lifecycle.isStopped(),
    failed: w.failed,
  };
}

export function createEtcdChecks(w: Wiring): EtcdChecks {
  const { platform, config } = w;
  serveHash(w.peers, {
    refusal: () => w.gate.admitPage("peer etcdHash"),
    hashKv: (revision, done) => w.member.hashKv(revision, done),
  });
  return new EtcdChecks({
    clock: platform.clock,
    selfId: w.booted.memberId,
    config: config.etcdChecks,
    machine: () => w.machine(),
    isLeader: () => w.raft.isLeader(),
    ownHash: (revision, done) => w.member.hashKv(revision, done),
    askHash: (id, revision, done) =>
      askHash((...asked) => w.request(...asked), { id, revision }, done),
    readBarrier: (done) => w.gate.barrier(done),
    raise: (memberID) => {
      const action = AlarmRequest_AlarmAction.ACTIVATE;
      const body = AlarmRequest.encode({ action, memberID, alarm: AlarmType.CORRUPT }).finish();
      w.proposer.propose(RequestField.alarm, body, () => {});
    },
    failed: w.failed,
    log: platform.log,
  });
}

export function createReadiness(w: Wiring): Readiness {
  const { memberId, clusterId, isUnproven } = w.booted;
  return new Readiness({
    platform: w.platform,
    ...{ memberId, clusterId, isUnproven: isUnproven === true },
    committer: w.committer,
    state: w.state,
    isStopping: () => w.lifecycle.isStopping(),
    initialCheck: (done) => w.etcdChecks.initial(done),
    failed: w.failed,
  });
}

export function createScrubber(w: Wiring): Scrubber {
  const { platform, config } = w;
  return createMemberScrubber({
    ...{ platform, config, wal: w.booted.wal },
    state: w.state,
    committer: w.committer,
    // A damaged state is healed. A wrong digest or a damaged log only shows in logs and metrics.
    onFinding: (finding) => {
      const isState = finding.kind === "row" || (finding.kind === "rows" && finding.isConfirmed);
      if (isState) w.damaged(new DamageError({ finding: finding.what }));
    },
    failed: w.failed,
  });
}
