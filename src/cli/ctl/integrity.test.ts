/** What `lockstep ctl` prints for reports that real clusters seldom give. */
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type MemberIntegrity,
  ReportRequest,
  ReportResponse,
  MemberIntegrity_State as State,
} from "../../wire/gen/integrity.js";
import { runCtl } from "./ctl.js";

const idA = 0xaaaan;
const idB = 0xbbbbn;
const idC = 0xccccn;
const noBytes = new Uint8Array(0);
const servers: grpc.Server[] = [];
let printed = "";
beforeEach(() => {
  printed = "";
  const take = (text: string | Uint8Array): boolean => {
    printed += Buffer.from(text as string).toString();
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(take);
  vi.spyOn(process.stderr, "write").mockImplementation(take);
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) server.forceShutdown();
});

function report(of: Partial<ReportResponse>): ReportResponse {
  const header = { cluster_id: 1n, member_id: idA, revision: 3n, raft_term: 2n };
  const plain = { applied_index: 30n, verified_index: 29n, digest_version: 1, leader: idA };
  return { ...ReportResponse.decode(noBytes), header, ...plain, ...of };
}

function member(id: bigint, state: State, more: Partial<MemberIntegrity> = {}): MemberIntegrity {
  const name = id === idA ? "one" : `m-${id.toString(16)}`;
  const verified = { verified_index: state === State.EQUAL ? 29n : 0n };
  return { ID: id, name, client_urls: [], is_learner: false, state, ...verified, ...more };
}

/** An endpoint that answers with this report. */
async function endpoint(answer: (port: number) => ReportResponse): Promise<string> {
  const server = new grpc.Server();
  servers.push(server);
  let port = 0;
  const path = "/lockstep.Integrity/Report";
  server.addService(
    {
      report: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: (request: ReportRequest) =>
          Buffer.from(ReportRequest.encode(request).finish()),
        requestDeserialize: (bytes: Buffer) => ReportRequest.decode(bytes),
        responseSerialize: (response: ReportResponse) =>
          Buffer.from(ReportResponse.encode(response).finish()),
        responseDeserialize: (bytes: Buffer) => ReportResponse.decode(bytes),
      },
    },
    {
      report: (_call: unknown, done: grpc.sendUnaryData<ReportResponse>) =>
        done(null, answer(port)),
    },
  );
  port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return `127.0.0.1:${port}`;
}

describe("endpoint integrity", () => {
  test.each([
    [State.EQUAL, 0],
    [State.DIFFERS, 1],
    [State.NOT_COMPARABLE, 1],
    [State.UNKNOWN, 1],
  ])("a peer in state %i ends with code %i", async (state, code) => {
    const members = [member(idA, State.SELF), member(idB, state)];
    const at = await endpoint(() => report({ members }));
    expect(await runCtl(["--endpoints", at, "endpoint", "integrity"])).toBe(code);
    const names = ["unknown", "equal up to 29", "differs", "not comparable"];
    expect(printed).toBe(`${at}, aaaa, 30, 29, m-bbbb ${names[state]}, 1, false\n`);
  });

  test("a follower says nothing of other followers, and that is no fault", async () => {
    const members = [member(idA, State.SELF), member(idB, State.EQUAL), member(idC, State.UNKNOWN)];
    const at = await endpoint(() => report({ members, leader: idB }));
    expect(await runCtl(["--endpoints", at, "endpoint", "integrity", "-w", "json"])).toBe(0);
    expect(JSON.parse(printed)).toMatchObject([
      {
        ...{ endpoint: at, member: "aaaa", leader: "bbbb", appliedIndex: 30, verifiedIndex: 29 },
        peers: [{ member: "bbbb", state: "equal", verifiedIndex: 29 }],
        quarantine: null,
      },
    ]);
  });

  test("--cluster asks whom the first endpoint that answers names, one in quarantine too", async () => {
    const quarantine = {
      ...{ reason: "why", index: 7n, since_ms: 1_700_000_000_000n, failures: 2 },
      ...{ backend: "state-0", evidence: [] },
    };
    const at = await endpoint((port) =>
      report({
        quarantine,
        members: [member(idA, State.SELF, { client_urls: [`http://127.0.0.1:${port}`] })],
      }),
    );
    const words = ["--endpoints", `127.0.0.1:1,${at}`, "--dial-timeout=300ms"];
    expect(await runCtl([...words, "endpoint", "integrity", "--cluster"])).toBe(1);
    expect(printed).toBe(`http://${at}, aaaa, 30, 29, , 1, true\n`);
  });

  test("an endpoint that does not answer is named, and the others are shown", async () => {
    const at = await endpoint(() => report({ members: [member(idA, State.SELF)] }));
    const words = ["--endpoints", `127.0.0.1:1,${at}`, "--dial-timeout=300ms"];
    expect(await runCtl([...words, "endpoint", "integrity"])).toBe(1);
    expect(printed).toContain("Failed to get the integrity of endpoint 127.0.0.1:1 ");
    expect(printed).toContain(`${at}, aaaa, 30`);
  });
});

describe("integrity", () => {
  test("tells the story with names, times and rows", async () => {
    const step = (kind: string, atMs: number, text: string) => ({
      ...{ kind, at_ms: BigInt(1_700_000_000_000 + atMs), member: "bbbb", text, index: 7n },
      ...{ difference: "", evidence: [] as string[], rows: undefined },
    });
    const rows = {
      ...{ wrong_index: 7n, right_index: 9n, upto_revision: 5n, compared: 8n },
      ...{ missing: 0n, extra: 0n, different: 1n, damaged: 1n, problem: "" },
      rows: [
        { bucket: "key", key: "00", text: "k", revision: 4n, fault: "different" },
        { bucket: "lease", key: "0b", text: "", revision: 0n, fault: "damaged" },
      ],
    };
    const incident = {
      number: 3n,
      steps: [
        {
          ...step("detected", 0, "bbbb has another state"),
          evidence: ["aaaa: index 7", "bbbb: index 7"],
        },
        step("ended", 1_250, "over"),
        { ...step("rows", 1_300, "some rows"), rows },
      ],
    };
    const open = { number: 4n, steps: [step("detected", 60_000, "bbbb differs")] };
    const at = await endpoint(() =>
      report({
        members: [member(idA, State.SELF), member(idB, State.EQUAL)],
        alarms: [{ member_ID: idB, alarm: 2, contained: true }],
        incidents: [incident, open],
      }),
    );
    expect(await runCtl(["--endpoints", at, "integrity"])).toBe(0);
    expect(printed.split("\n")).toEqual([
      `${at}: member aaaa (one), leads`,
      "  It serves clients.",
      "  Applied up to log index 30, equal to another member up to 29, digest version 1.",
      "  Peer m-bbbb equal up to 29",
      "  Alarm CORRUPT of m-bbbb (bbbb), contained: it alone serves no clients",
      "  Incident 3, 2023-11-14T22:13:20.000Z, over after 1.250s:",
      "    +0.000s   detected    m-bbbb (bbbb) has another state",
      "        one (aaaa): index 7",
      "        m-bbbb (bbbb): index 7",
      "    +1.250s   ended       over",
      "    +1.300s   rows        some rows",
      "        the wrong state stood at index 7, compared up to revision 5",
      '        different: key "k", revision 4',
      "        damaged: row 0b of bucket lease",
      "  Incident 4, 2023-11-14T22:14:20.000Z, not over:",
      "    +0.000s   detected    m-bbbb (bbbb) differs",
      "",
    ]);
  });
});
