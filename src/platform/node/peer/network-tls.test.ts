/**
 * Two members with TLS between them: messages arrive only when both certificates pass, on the side
 * that is dialled and on the side that dials. Neither side reads a byte of a stranger.
 */
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { Authority, type CertificateFiles } from "../../../../test/support/certificates.js";
import type { NetworkHandler, Rejection } from "../../network.js";
import type { TlsSettings } from "../../tls-settings.js";
import { KeptCredentials } from "../tls/kept-credentials.js";
import { openCredentials } from "../tls/open-credentials.js";
import { listenForPeers, type PeerListener } from "./network.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-peer-tls-"));
const authority = new Authority(join(folder, "pki"));
const strangers = new Authority(join(folder, "strangers"), "strangers");
const good = authority.issue("member");
const noFile = { clientCertFile: "", clientKeyFile: "", trustedCaFile: "", crlFile: "" };
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function settingsOf(files: CertificateFiles, more: Partial<TlsSettings> = {}): TlsSettings {
  return {
    ...noFile,
    ...{ flagPrefix: "peer-", certFile: files.cert, keyFile: files.key, clientCertAuth: true },
    ...{ trustedCaFile: authority.caFile, skipsClientHost: false, selfSignedYears: undefined },
    ...{ allowedCommonNames: [], allowedHostnames: [], ciphers: undefined },
    ...{ minVersion: "TLSv1.2", maxVersion: "TLSv1.3" },
    ...more,
  };
}

const keep = (settings: TlsSettings): KeptCredentials =>
  new KeptCredentials({ settings, unixMs: Date.now, log: () => {} });

interface Side {
  readonly listener: PeerListener;
  readonly url: string;
  readonly log: string[];
  readonly refused: Rejection[];
  readonly heard: bigint[];
  isUp: boolean;
}

async function side(credentials: KeptCredentials | undefined): Promise<Side> {
  const log: string[] = [];
  const listener = await listenForPeers({
    listen: [{ host: "127.0.0.1", port: 0, isTls: true }],
    credentials,
    now: () => 0,
    log: (_level, message, fields) => log.push(`${message} ${fields?.error}`),
  });
  const url = `https://127.0.0.1:${listener.addresses()[0]?.port}`;
  return { listener, url, log, refused: [], heard: [], isUp: false };
}

function connect(own: Side, id: bigint, other: Side, otherId: bigint) {
  const handler: NetworkHandler = {
    clusterId: () => 7n,
    memberId: () => id,
    peerUrls: () => [other.url],
    locate: (_id, done) => done(undefined),
    located: () => {},
    messageBytesMax: () => 1024,
    rejected: (rejection) => own.refused.push(rejection),
    linkChanged: (_id, isUp) => {
      own.isUp = isUp;
    },
    incarnation: () => id,
    greeted: () => true,
    refusedIncarnation: () => {},
    received: (from) => own.heard.push(from),
    unreachable: () => {},
    clusterInfo: () => ({ clusterId: 7n, clusterVersion: "3.6.0", members: [] }),
    removedFromCluster: () => {},
    page: (_request, done) => done({ status: 200, headers: {}, body: "page" }),
    isRemoved: () => false,
  };
  const network = own.listener.connect(handler);
  network.setPeer(otherId, [other.url]);
  const sending = setInterval(() => network.send(otherId, Uint8Array.of(1)), 10);
  ends.push(() => {
    clearInterval(sending);
    network.close();
  });
  return network;
}

async function members(ofA: KeptCredentials | undefined, ofB: KeptCredentials | undefined) {
  const [a, b] = [await side(ofA), await side(ofB)];
  const network = connect(a, 1n, b, 2n);
  connect(b, 2n, a, 1n);
  return { a, b, network };
}

const both = async (a: Side, b: Side): Promise<void> => {
  await vi.waitFor(() => expect([a.heard.length > 3, b.heard.length > 3]).toEqual([true, true]), {
    timeout: 10_000,
  });
};

test("messages, the cluster's members and pages go through, by name as well as by number", async () => {
  const { a, b, network } = await members(keep(settingsOf(good)), keep(settingsOf(good)));
  await both(a, b);
  expect([a.refused, b.refused, a.log, b.log]).toEqual([[], [], [], []]);
  const named = b.url.replace("127.0.0.1", "localhost");
  const info = await new Promise((resolve) => network.fetchCluster([named], resolve));
  expect(info).toMatchObject({ clusterId: 7n });
});

test("certificates that members make for themselves encrypt", async () => {
  const auto = (name: string): KeptCredentials | undefined => {
    const made = { certFile: "", keyFile: "", trustedCaFile: "", clientCertAuth: false };
    const settings = settingsOf(good, { ...made, selfSignedYears: 1 });
    const place = { dataDir: join(folder, name), hosts: ["127.0.0.1"] };
    return openCredentials({ settings, unixMs: Date.now, log: () => {} }, place);
  };
  const { a, b } = await members(auto("a"), auto("b"));
  await both(a, b);
});

describe("a member that may not take part", () => {
  const crl = join(folder, "crl.pem");
  const taken = authority.issue("taken");
  authority.revoke(crl, new X509Certificate(readFileSync(taken.cert)));
  const old = authority.issue("old", { toMs: Date.now() - 60_000 });
  const elsewhere = authority.issue("elsewhere", { hosts: ["10.1.1.1"] });
  test.each<[string, CertificateFiles, Partial<TlsSettings>, RegExp, RegExp]>([
    [
      "of another authority",
      strangers.issue("m"),
      {},
      /signed by one of the trusted/,
      /not signed by one of the trusted/,
    ],
    ["expired", old, {}, /has expired/, /has expired/],
    ["revoked", taken, { crlFile: crl }, /is revoked/, /is revoked/],
    [
      "of another name",
      authority.issue("guest"),
      { allowedCommonNames: ["member"] },
      /common name "guest" is not allowed/,
      /common name "guest"/,
    ],
    [
      "of another host name",
      elsewhere,
      { allowedHostnames: ["localhost"] },
      /stands for none of localhost/,
      /does not match certificate's altnames|altnames/,
    ],
    [
      "of another address",
      elsewhere,
      {},
      /valid for 10\.1\.1\.1, not for 127\.0\.0\.1/,
      /altnames/,
    ],
  ])("%s: neither side hears the other", async (_name, files, rules, accepting, dialling) => {
    const { a, b } = await members(keep(settingsOf(good, rules)), keep(settingsOf(files, rules)));
    await vi.waitFor(
      () => {
        const rejected = a.log.filter((line) => line.startsWith("rejected connection on peer"));
        expect(rejected.join("\n")).toMatch(accepting);
        const dialled = a.log.filter((line) => line.startsWith("cannot connect to a peer"));
        expect(dialled.join("\n")).toMatch(dialling);
      },
      { timeout: 10_000 },
    );
    expect([a.isUp, b.isUp, a.heard, b.heard]).toEqual([false, false, [], []]);
    expect(a.refused[0]).toMatchObject({ reason: "tls_refused", from: 0n });
  });
});

test("of a stranger nothing is read: no answer to a query, to a page, to plain bytes", async () => {
  const { a, b } = await members(keep(settingsOf(good)), keep(settingsOf(good)));
  await both(a, b);
  const port = Number(new URL(a.url).port);
  const ca = readFileSync(authority.caFile);
  const own = strangers.issue("stranger");
  const shown = { cert: readFileSync(own.cert), key: readFileSync(own.key) };
  const answers: string[] = [];
  for (const bytes of ["LKSTEP?\n", "GET /members HTTP/1.1\r\nHost: a\r\n\r\n"]) {
    for (const certificate of [{}, shown]) {
      const socket = connectTls({ host: "127.0.0.1", port, ca, ...certificate });
      socket.on("secureConnect", () => socket.write(bytes));
      socket.on("data", (data) => answers.push(data.toString()));
      socket.on("error", () => {});
      await new Promise((resolve) => socket.once("close", resolve));
    }
    const plain = connectTcp(port, "127.0.0.1", () => plain.write(bytes));
    plain.on("data", (data) => answers.push(data.toString("latin1")));
    plain.on("error", () => {});
    await new Promise((resolve) => plain.once("close", resolve));
  }
  // What comes is TLS's own word for an error.
  expect(answers.filter((answer) => !answer.startsWith("\x15\x03"))).toEqual([]);
  expect(a.refused.every(({ reason }) => reason === "tls_refused")).toBe(true);
});
