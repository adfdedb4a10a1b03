/**
 * A member that missed the begin or the end of the alarm NOSPACE: the whole cluster gives one
 * answer.
 */
import { expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { noClient } from "../../member/gate/requests.js";
import {
  AlarmRequest,
  AlarmRequest_AlarmAction,
  AlarmType,
  PutRequest,
} from "../../wire/gen/rpc.js";
import { RequestField } from "../../wire/proposal.js";
import { SimCluster } from "./sim-cluster.js";
import type { SimNode } from "./sim-node.js";

const longMs = 20_000;

class Story {
  readonly cluster = new SimCluster({ seed: 7, members: 3, config: { nospaceEnd: "manual" } });
  readonly leader: SimNode;
  readonly other: SimNode;

  constructor() {
    const { cluster } = this;
    cluster.startAll();
    this.until(() => cluster.nodes.every(({ member }) => member?.isReady() === true));
    this.leader = cluster.leaderNode() as SimNode;
    this.other = cluster.nodes.find((node) => node !== this.leader) as SimNode;
  }

  until(holds: () => boolean): void {
    expect(this.cluster.clock.runUntil(holds, longMs)).toBe(true);
  }

  /** Changes the alarm at the leader, which acknowledges it. */
  alarm(action: AlarmRequest_AlarmAction): void {
    const body = AlarmRequest.encode({ action, memberID: 1n, alarm: AlarmType.NOSPACE }).finish();
    const request = { field: RequestField.alarm, body, growthBytes: 0, client: noClient };
    let isDone = false;
    this.leader.member?.write("/etcdserverpb.Maintenance/Alarm", request, (applied) => {
      isDone = !(applied instanceof KvError);
    });
    this.until(() => isDone);
  }

  /**
   * Puts at the other member. Returns a function that gives what that member has answered so far.
   */
  put(): () => string | undefined {
    const put = { ...PutRequest.decode(new Uint8Array(0)), key: Buffer.from("a") };
    const body = PutRequest.encode(put).finish();
    const request = { field: RequestField.put, body, growthBytes: 1, client: noClient };
    let answer: string | undefined;
    this.other.member?.write("/etcdserverpb.KV/Put", request, (applied) => {
      answer = applied instanceof KvError ? applied.reason : "applied";
    });
    return () => answer;
  }

  /** From now on the other member hears and says nothing. Returns a function that ends this. */
  isolate(): () => void {
    const self = new Set([this.other.place]);
    const others = new Set([0, 1, 2].filter((place) => place !== this.other.place));
    const cut = { lossPerMille: 1000, extraUs: 0 };
    const { network } = this.cluster;
    const rules = [
      network.addRule({ from: self, to: others, ...cut }),
      network.addRule({ from: others, to: self, ...cut }),
    ];
    return () => {
      for (const remove of rules) remove();
    };
  }
}

const { ACTIVATE, DEACTIVATE } = AlarmRequest_AlarmAction;

test("a member that missed the end of the alarm does not refuse for it", () => {
  const story = new Story();
  story.alarm(ACTIVATE);
  story.until(() => story.other.member?.machine.alarms().length === 1);
  const refused = story.put();
  story.until(() => refused() !== undefined);
  expect(refused()).toBe("noSpace");
  const heal = story.isolate();
  story.alarm(DEACTIVATE);
  const answer = story.put();
  story.cluster.clock.run(500);
  expect(answer()).toBeUndefined();
  heal();
  story.until(() => answer() !== undefined);
  expect(answer()).toBe("applied");
});

test("what a member took before it knew of the alarm is refused when it is applied", () => {
  const story = new Story();
  const heal = story.isolate();
  story.alarm(ACTIVATE);
  expect(story.other.member?.machine.alarms()).toEqual([]);
  const answer = story.put();
  // Until the member has noticed that it is alone, its proposals are lost.
  story.cluster.clock.run(500);
  heal();
  const second = story.put();
  story.until(() => second() !== undefined);
  expect(second()).toBe("noSpace");
  story.cluster.clock.run(longMs);
  expect(answer()).not.toBe("applied");
  expect(story.leader.member?.machine.kv.revision()).toBe(1);
});
