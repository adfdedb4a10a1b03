/**
 * Hostile bytes on both ports, and oversized requests: the member refuses them, and its state
 * stays.
 */
import { afterEach, describe, expect, test } from "vitest";
import { compareHashes } from "../crash/rounds.js";
import { bytes, EtcdClient } from "../support/client.js";
import { Cluster } from "../support/cluster.js";
import { runSeed, SeededRng } from "../support/seeded-rng.js";
import { isMissing, subject } from "../support/server-kind.js";
import { hostileInputs, throwAt } from "./hostile-bytes.js";

const MEBIBYTE = 1 << 20;
let cluster: Cluster | undefined;
afterEach(() => cluster?.dispose());

/** Puts and reads through a new connection; gives the revision. */
async function servesAsBefore(of: Cluster, value: string): Promise<number> {
  let revision = 0;
  for (const member of of.members) {
    expect(member.isRunning).toBe(true);
    const client = new EtcdClient(member.endpoint);
    try {
      await client.put({ key: bytes("alive"), value: bytes(value) });
      const { kvs, header } = await client.range({ key: bytes("alive") });
      expect(String(kvs[0]?.value)).toBe(value);
      revision = Number(header?.revision);
    } finally {
      client.close();
    }
  }
  return revision;
}

describe.skipIf(isMissing(subject))("hostile bytes", () => {
  test.each(["client", "peer"])(
    "on the %s port",
    async (which) => {
      const rng = new SeededRng(runSeed());
      const of = await Cluster.start({ kind: subject, size: which === "peer" ? 3 : 1 });
      cluster = of;
      const { client, plan } = of.first;
      const port = which === "peer" ? plan.peerPort : plan.clientPort;
      await client.put({ key: bytes("kept"), value: bytes("kept") });
      const before = await servesAsBefore(of, "before");
      for (const [name, input] of hostileInputs(rng)) {
        await throwAt(port, input);
        expect(of.first.isRunning, name).toBe(true);
      }
      // All at once, cut at random places.
      const inputs = hostileInputs(rng).flatMap(([, input]) => [input, input]);
      await Promise.all(
        inputs.map((input) => throwAt(port, input.subarray(0, rng.int(input.length) + 1), 200)),
      );
      const after = await servesAsBefore(of, "after");
      expect(after).toBe(before + of.members.length);
      const { kvs } = await client.range({ key: bytes("\0"), range_end: bytes("\0") });
      expect(kvs.map((kv) => String(kv.key))).toEqual(["alive", "kept"]);
      await compareHashes(of, after);
    },
    90_000,
  );

  test("oversized requests are refused and change nothing", async () => {
    const of = await Cluster.start({ kind: subject });
    cluster = of;
    const { client, process } = of.first;
    const put = (size: number): Promise<unknown> =>
      client.put({ key: bytes("big"), value: Buffer.alloc(size, "x") });
    await put(1_400_000);
    await expect(put(1_600_000)).rejects.toMatchObject({
      code: 3,
      details: "etcdserver: request is too large",
    });
    const before = process.memory().anonBytes;
    for (const size of [3 * MEBIBYTE, 40 * MEBIBYTE]) {
      await expect(put(size)).rejects.toMatchObject({ code: 8 });
    }
    expect(process.memory().anonBytes - before).toBeLessThan(120 * MEBIBYTE);
    const { kvs, header } = await client.range({ key: bytes("big") });
    expect(kvs[0]?.value.length).toBe(1_400_000);
    expect(header?.revision).toBe(2n);
  }, 60_000);
});
