/**
 * Lets a joining member learn the cluster's id and members before it has an id itself. It connects
 * to any peer address, sends the query magic and reads one JSON object to the end.
 */
import type net from "node:net";
import type { ClusterInfo } from "../network.js";
import type { PeerDialer } from "./peer/dialer.js";
import { queryMagic } from "./peer/framing.js";

const answerBytesMax = 1024 * 1024;
const timeoutMs = 3_000;

interface WireInfo {
  clusterId: string;
  clusterVersion?: string;
  members: {
    id: string;
    name: string;
    peerUrls: string[];
    clientUrls: string[];
    isLearner: boolean;
    /** Older builds leave it out. */
    incarnation?: string;
  }[];
}

export function serveClusterInfo(socket: net.Socket, info: ClusterInfo | undefined): void {
  if (info === undefined) {
    socket.destroy();
    return;
  }
  const wire = {
    clusterId: info.clusterId.toString(),
    clusterVersion: info.clusterVersion,
    members: info.members.map((member) => ({
      ...member,
      id: member.id.toString(),
      incarnation: member.incarnation.toString(),
    })),
  };
  socket.end(JSON.stringify(wire));
}

/**
 * Asks one address after the other. The result is the first whole answer, or else the last error.
 */
export function fetchClusterInfo(
  dialer: PeerDialer,
  peerUrls: readonly string[],
  done: (result: ClusterInfo | Error) => void,
): void {
  const [first, ...rest] = peerUrls;
  if (first === undefined) {
    done(new Error("no peer address to ask for the cluster's members"));
    return;
  }
  askOne(dialer, first, (result) => {
    if (result instanceof Error && rest.length > 0) fetchClusterInfo(dialer, rest, done);
    else done(result);
  });
}

function askOne(
  dialer: PeerDialer,
  peerUrl: string,
  done: (result: ClusterInfo | Error) => void,
): void {
  const socket = dialer.dial(peerUrl, () => socket.write(queryMagic));
  const chunks: Buffer[] = [];
  let bytes = 0;
  let failure: Error | undefined;
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${peerUrl}: no answer in time`)));
  socket.on("data", (chunk) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > answerBytesMax) socket.destroy(new Error(`${peerUrl}: the answer is too large`));
  });
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => done(failure ?? parseInfo(Buffer.concat(chunks), peerUrl)));
}

function parseInfo(bytes: Buffer, peerUrl: string): ClusterInfo | Error {
  try {
    const wire = JSON.parse(bytes.toString("utf8")) as WireInfo;
    return {
      clusterId: BigInt(wire.clusterId),
      clusterVersion: wire.clusterVersion ?? "",
      members: wire.members.map((member) => ({
        ...member,
        id: BigInt(member.id),
        peerUrls: member.peerUrls.filter((url) => URL.canParse(url)),
        incarnation: BigInt(member.incarnation ?? 0),
      })),
    };
  } catch (cause) {
    return new Error(`${peerUrl}: not a member of a lockstep cluster`, { cause });
  }
}
