/** etcd's checks wired to a member, and the answers to those of the others. */
import { KvError } from "../base/errors.js";
import { EtcdChecks } from "../integrity/etcd-checks/etcd-checks.js";
import {
  decodeHash,
  decodeRevision,
  encodeHash,
  encodeRevision,
} from "../integrity/etcd-checks/member-hash.js";
import { PeerMethod } from "../peers/codec.js";
import { AlarmRequest, AlarmRequest_AlarmAction, AlarmType } from "../wire/gen/rpc.js";
import type { EngineWorld } from "./engine.js";
import type { RunningMember } from "./member.js";
import { RequestField } from "./types.js";

export function createEtcdChecks(member: RunningMember, world: EngineWorld): EtcdChecks {
  const { engine } = member;
  const { platform, config } = world;
  engine.peers.serve(PeerMethod.etcdHash, (_from, body, done) => {
    const revision = decodeRevision(body);
    const refusal = member.refusal();
    if (refusal !== undefined) done(refusal);
    else if (!Number.isSafeInteger(revision)) done(new KvError("futureRevision"));
    else member.hashKv(revision, (hash) => done(hash instanceof KvError ? hash : encodeHash(hash)));
  });
  return new EtcdChecks({
    clock: platform.clock,
    selfId: member.id,
    config: config.etcdChecks,
    machine: () => member.machine,
    isLeader: () => engine.raft.isLeader(),
    ownHash: (revision, done) => member.hashKv(revision, done),
    askHash: (id, revision, done) =>
      engine.request(id, PeerMethod.etcdHash, encodeRevision(revision), (answer) =>
        done(answer instanceof KvError ? answer : decodeHash(answer)),
      ),
    readBarrier: (done) => member.readBarrier(done),
    raise: (memberID) => {
      const action = AlarmRequest_AlarmAction.ACTIVATE;
      const body = AlarmRequest.encode({ action, memberID, alarm: AlarmType.CORRUPT }).finish();
      engine.propose(RequestField.alarm, body, () => {});
    },
    failed: (error) => member.fail(error),
    log: (level, text, fields) => platform.log(level, text, fields),
  });
}
