/** Addresses that are bound before a server serves them, and handshakes that do not end. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type NetConnectOpts, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { testCertificate, testCredentials } from "../../grpc/tls.fixture.js";
import { type ListenAddress, type Listener, openListener } from "./listener.js";
import { TlsServerSide } from "./tls/server-side.js";

const folder = mkdtempSync(join(tmpdir(), "lockstep-listener-"));
const ends: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function open(addresses: readonly ListenAddress[], reusesPort = false): Promise<Listener> {
  const listener = await openListener({
    addresses,
    credentials: testCredentials(),
    alpn: ["http/1.1"],
    allowsHalfOpen: false,
    endpoint: "client",
    reusesPort,
    now: () => 0,
    log: () => {},
  });
  ends.push(() => listener.close());
  return listener;
}

const anyPort = { host: "127.0.0.1", port: 0, isTls: false };

/** Collects what comes until the other side closes. */
function answerOf(place: NetConnectOpts): Promise<string> {
  return new Promise((resolve) => {
    let got = "";
    const socket = connect(place);
    ends.push(() => socket.destroy());
    socket.on("data", (data) => {
      got += data.toString();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(got));
  });
}

test("an address in use: rejected with the system's error, and none is bound", async () => {
  const [free] = (await open([anyPort])).addresses;
  for (const end of ends.splice(0)) end();
  const taken = (await open([anyPort])).addresses[0] as { host: string; port: number };
  const both = [
    { ...free, isTls: false },
    { ...taken, isTls: false },
  ] as ListenAddress[];
  await expect(open(both)).rejects.toMatchObject({ code: "EADDRINUSE" });
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(free?.port, "127.0.0.1", () => resolve()));
  probe.close();
});

test("who comes before there is anybody to serve is closed at once", async () => {
  const listener = await open([anyPort]);
  const place = listener.addresses[0] as NetConnectOpts;
  expect(await answerOf(place)).toBe("");
  listener.accept((socket) => socket.end("served"));
  expect(await answerOf(place)).toBe("served");
});

test("a Unix socket, also where a killed process left its file", async () => {
  const socketPath = join(folder, "a.sock");
  writeFileSync(socketPath, "");
  const listener = await open([{ socketPath, isTls: false }]);
  listener.accept((socket) => socket.end("served"));
  expect(await answerOf({ path: socketPath })).toBe("served");
  expect(listener.addresses).toEqual([]);
});

test("--socket-reuse-port works, or says which Node can", async () => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 12)) {
    const [place] = (await open([anyPort], true)).addresses;
    await open([{ ...place, isTls: false } as ListenAddress], true);
  } else {
    await expect(open([anyPort], true)).rejects.toThrow(/needs Node\.js 22\.12 or newer/);
  }
});

test("handshakes that stand still end after their time, and the oldest when there are too many", async () => {
  const accepted: Socket[] = [];
  const side = new TlsServerSide({
    kept: testCredentials(),
    alpn: ["http/1.1"],
    ...{ handshakeMs: 300, handshakesMax: 5 },
    accepted: (socket) => accepted.push(socket),
    refused: () => {},
  });
  const listener = await open([anyPort]);
  listener.accept((socket) => side.take(socket));
  const place = listener.addresses[0] as NetConnectOpts & { readonly port: number };
  let open_ = 0;
  let opened = 0;
  for (let at = 0; at < 20; at++) {
    const silent = connect(place, () => {
      open_++;
      opened++;
    });
    ends.push(() => silent.destroy());
    silent.on("error", () => {});
    silent.on("close", () => open_--);
  }
  await vi.waitFor(() => expect(opened).toBe(20));
  await vi.waitFor(() => expect(open_).toBeLessThanOrEqual(5));
  const secure = connectTls({ ...place, host: "127.0.0.1", ca: testCertificate });
  ends.push(() => secure.destroy());
  secure.on("error", () => {});
  await new Promise<void>((resolve) => secure.once("secureConnect", () => resolve()));
  await vi.waitFor(() => expect(open_).toBe(0));
  // A connection that has finished its handshake may be silent for longer.
  expect(accepted).toHaveLength(1);
  expect(secure.destroyed).toBe(false);
});
