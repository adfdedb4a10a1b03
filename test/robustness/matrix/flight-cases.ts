/** A state that is damaged on its way from one member to another. */
import { eventually } from "../incident.js";
import { type Case, entriesPastLog, flipRunning } from "./case.js";
import { type Flip, PeerProxy } from "./peer-proxy.js";
import type { Scene } from "./scene.js";

/** Tells the cluster another address of the suspect while `during` runs: that of a proxy that flips bytes. */
async function behindProxy(
  scene: Scene,
  fault: { readonly flip: Flip; readonly count: number },
  during: () => Promise<void>,
): Promise<void> {
  const { suspect, stage } = scene;
  const { client } = await stage.cluster.leader();
  const { members } = await client.memberList({});
  const ID = members.find(({ name }) => name === suspect.name)?.ID ?? 0n;
  const from = suspect.process.log().length;
  const proxy = await PeerProxy.start({ ...fault, targetPort: suspect.plan.peerPort });
  try {
    await client.memberUpdate({ ID, peerURLs: [proxy.url] });
    await during();
    const areFlipped = (): boolean => proxy.flipped === fault.count;
    await eventually(`${fault.count} pieces were flipped`, areFlipped, 60_000);
    // The way stays the same until the whole state has passed.
    await eventually("the suspect answers again", () => answers(scene), 120_000);
    const damagedWays = /"msg":"closed a damaged peer connection"/g;
    const closed = [...suspect.process.log().slice(from).matchAll(damagedWays)].length;
    scene.note(
      `flipped ${proxy.flipped} of ${proxy.pieces} pieces, ${closed} connections closed as damaged`,
    );
  } finally {
    const { client: now } = await stage.cluster.leader();
    await now.memberUpdate({ ID, peerURLs: [suspect.peerUrl] });
    proxy.close();
  }
}

async function answers({ suspect, stage }: Scene): Promise<boolean> {
  const { kvs } = await suspect.client.range({ key: stage.seed.key(0) }, { timeoutMs: 3_000 });
  return kvs.length === 1;
}

/** The suspect is off until nobody has the log that it needs. */
async function farBehind(scene: Scene): Promise<void> {
  const { suspect, stage } = scene;
  const leader = await stage.cluster.leader();
  const applied = async (): Promise<number> =>
    Number((await leader.client.status({})).raftAppliedIndex);
  await suspect.stop();
  const from = await applied();
  // Log is kept for half a minute after a state was sent: to an earlier case's suspect, maybe.
  const sinceMs = Date.now();
  const isPast = async (): Promise<boolean> =>
    Date.now() - sinceMs > 35_000 && (await applied()) > from + entriesPastLog;
  await eventually("entries have passed", isPast, 120_000);
  scene.mark();
  suspect.spawn();
}

const three = { members: 3, at: "follower" } as const;

export const flightCases: readonly Case[] = [
  {
    ...three,
    name: "snapshot pieces flipped in flight, member far behind",
    strike: (scene) => behindProxy(scene, { flip: "frame", count: 3 }, () => farBehind(scene)),
  },
  {
    ...three,
    name: "snapshot pieces flipped in flight while healing, frame checksum right",
    strike: (scene) => behindProxy(scene, { flip: "piece", count: 3 }, () => flipRunning(scene)),
  },
  {
    ...three,
    name: "snapshot row flipped in flight while healing, all checksums of the way right",
    strike: (scene) => behindProxy(scene, { flip: "row", count: 1 }, () => flipRunning(scene)),
  },
];
