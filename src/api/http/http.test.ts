import { expect, test } from "vitest";
import { KvError } from "../../base/errors.js";
import { Histogram } from "../../base/histogram.js";
import { gateMethods } from "../../member/gate/gate.fixture.js";
import type { Member } from "../../member/types.js";
import { rpcMetrics } from "../../metrics/rpc-metrics.js";
import type { AlarmRecord } from "../../state/types.js";
import { answerHttp, type HttpAnswer } from "./http.js";

function setUp() {
  const alarms: AlarmRecord[] = [];
  const state = {
    leader: 2n,
    isLearner: false,
    isReady: true,
    barriers: 0,
    barrier: undefined as KvError | undefined,
    clusterVersion: "3.6.0",
  };
  const member = {
    leader: () => state.leader,
    isLearner: () => state.isLearner,
    integrityRefusal: () => undefined,
    isReady: () => state.isReady,
    machine: {
      alarms: () => alarms,
      cluster: { clusterVersion: () => state.clusterVersion },
      kv: { revision: () => 1, kvAt: () => undefined },
    },
    status: () => ({ version: "3.6.0", storageVersion: "3.6.0" }),
    metrics: () => [
      { name: "etcd_a", type: "gauge", help: "An A.", value: 1 },
      { name: "etcd_b", type: "counter", help: "b\\\n", labels: { x: 'q"\\' }, value: 2 },
      {
        name: "etcd_h",
        type: "histogram",
        help: "H",
        bounds: [0.5, 1],
        counts: [3, 4],
        sum: 2.5,
        count: 5,
      },
      { name: "etcd_a", type: "gauge", help: "An A.", labels: { k: "v" }, value: 7 },
    ],
    ...gateMethods({
      readBarrier: (done) => {
        state.barriers++;
        done(state.barrier);
      },
    }),
  } as unknown as Member;
  const handling = new Histogram([0.1, 1]);
  const bytes = { receivedBytes: 10, sentBytes: 200, handling };
  const handled = [1, 0, 2];
  const moreMetrics = () =>
    rpcMetrics([
      { ...bytes, path: "/s.S/M", kind: "bidi", started: 3, received: 4, sent: 5, handled },
      { ...bytes, path: "/s.S/N", kind: "unary", started: 0, received: 0, sent: 0, handled: [] },
    ]);
  const ask = (url: string, method = "GET"): HttpAnswer => {
    const answers: HttpAnswer[] = [];
    answerHttp({ method, url }, { member, moreMetrics }, (answer) => answers.push(answer));
    expect(answers).toHaveLength(1);
    return answers[0] as HttpAnswer;
  };
  return { ask, alarms, state };
}

test("version", () => {
  const { ask, state } = setUp();
  expect(ask("/version")).toMatchObject({
    status: 200,
    headers: { "Content-Type": "application/json" },
    body: '{"etcdserver":"3.6.0","etcdcluster":"3.6.0","storage":"3.6.0"}',
  });
  state.clusterVersion = "";
  expect(JSON.parse(ask("/version").body)).toMatchObject({ etcdcluster: "not_decided" });
});

test("health: alarms, leader, read; in that order", () => {
  const { ask, alarms, state } = setUp();
  const of = (url: string) => {
    const { status, body } = ask(url);
    return [status, JSON.parse(body)];
  };
  const healthy = [200, { health: "true", reason: "" }];
  const sick = (reason: string) => [503, { health: "false", reason }];
  expect(of("/health")).toEqual(healthy);
  expect(state.barriers).toBe(1);
  state.barrier = new KvError("timeout");
  expect(of("/health")).toEqual(sick("RANGE ERROR:etcdserver: request timed out"));
  expect(of("/health?serializable=true")).toEqual(healthy);
  state.leader = 0n;
  expect(of("/health?serializable=false")).toEqual(sick("RAFT NO LEADER"));
  alarms.push({ memberId: 1n, alarm: "NOSPACE" }, { memberId: 1n, alarm: "CORRUPT" });
  expect(of("/health")).toEqual(sick("ALARM NOSPACE"));
  expect(of("/health?exclude=NOSPACE")).toEqual(sick("ALARM CORRUPT"));
  expect(of("/health?exclude=NOSPACE&exclude=CORRUPT&serializable=true")).toEqual(healthy);
});

test("livez and readyz: checks, by name and together", () => {
  const { ask, alarms, state } = setUp();
  expect(ask("/livez")).toMatchObject({ status: 200, body: "ok\n" });
  expect(ask("/readyz?verbose").body).toBe(
    "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n",
  );
  alarms.push({ memberId: 1n, alarm: "CORRUPT" });
  state.barrier = new KvError("timeout");
  state.isLearner = true;
  const sick = ask("/readyz");
  expect(sick.status).toBe(503);
  expect(sick.body).toBe(
    "[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n" +
      "[-]linearizable_read failed: range error: etcdserver: request timed out\n" +
      "[-]non_learner failed: not supported for learner\n",
  );
  const excluded = "exclude=data_corruption&exclude=linearizable_read";
  expect(ask(`/readyz?${excluded}&exclude=non_learner`)).toMatchObject({ status: 200 });
  expect(ask(`/readyz?${excluded}`).status).toBe(503);
  expect(ask("/readyz/linearizable_read").status).toBe(503);
  expect(ask("/readyz/serializable_read")).toMatchObject({ status: 200, body: "ok\n" });
  expect(ask("/livez").status).toBe(200);
  expect(ask("/livez/linearizable_read").status).toBe(404);
  // A member that waits for a quorum counts as live.
  state.isReady = false;
  expect(ask("/livez/serializable_read").status).toBe(200);
  state.barrier = undefined;
  expect(ask("/readyz/linearizable_read").status).toBe(503);
});

test("metrics: families together, escaped, histograms, calls by method", () => {
  const { ask } = setUp();
  const { body, headers } = ask("/metrics");
  expect(headers["Content-Type"]).toContain("version=0.0.4");
  expect(body).toContain(
    '# HELP etcd_a An A.\n# TYPE etcd_a gauge\netcd_a 1\netcd_a{k="v"} 7\n' +
      '# HELP etcd_b b\\\\\\n\n# TYPE etcd_b counter\netcd_b{x="q\\"\\\\"} 2\n',
  );
  expect(body).toContain(
    'etcd_h_bucket{le="0.5"} 3\netcd_h_bucket{le="1"} 4\netcd_h_bucket{le="+Inf"} 5\netcd_h_sum 2.5\netcd_h_count 5\n',
  );
  const method = 'grpc_method="M",grpc_service="s.S",grpc_type="bidi_stream"';
  expect(body).toContain(`grpc_server_started_total{${method}} 3\n`);
  expect(body).toContain(`grpc_server_msg_received_total{${method}} 4\n`);
  expect(body).toContain(`grpc_server_handled_total{grpc_code="Unknown",${method}} 2\n`);
  expect(body).toContain("\netcd_network_client_grpc_received_bytes_total 20\n");
  expect(body).toContain("\netcd_network_client_grpc_sent_bytes_total 400\n");
  expect(body.endsWith("\n")).toBe(true);
});

test("other methods, other paths", () => {
  const { ask } = setUp();
  expect(ask("/health", "POST")).toMatchObject({ status: 405, headers: { Allow: "GET" } });
  expect(ask("/v3/kv/range", "POST")).toMatchObject({ status: 404 });
  expect(ask("/healthz").status).toBe(404);
});
