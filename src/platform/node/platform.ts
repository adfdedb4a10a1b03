/** The real world for one member: its folder, its peer sockets, the system's clock. */
import path from "node:path";
import type { Platform } from "../platform.js";
import { nodeClock } from "./clock.js";
import { createNodeDisk } from "./disk.js";
import { nodeHash } from "./hash.js";
import { createLmdbBackendStore } from "./lmdb/backend.js";
import { listenForPeers, type PeerListener } from "./peer/network.js";
import { nodeRng } from "./rng.js";

export interface NodePlatformOptions {
  readonly dataDir: string;
  /** Port 0: any free one. */
  readonly listenPeers: readonly { readonly host: string; readonly port: number }[];
  readonly log: Platform["log"];
}

export interface NodePlatform {
  readonly platform: Platform;
  readonly listener: PeerListener;
}

/** Binds the peer sockets. @throws StartError, or the system's error (EADDRINUSE, ...) */
export async function createNodePlatform(options: NodePlatformOptions): Promise<NodePlatform> {
  const { dataDir, log } = options;
  // The folder comes first: a listener that nobody closes would keep the process alive.
  const disk = createNodeDisk(dataDir, log);
  const listener = await listenForPeers({
    listen: options.listenPeers,
    now: nodeClock.now,
    log: (message, fields) => log("warn", message, fields),
  });
  const platform: Platform = {
    clock: nodeClock,
    rng: nodeRng,
    hash: nodeHash,
    disk,
    backends: createLmdbBackendStore(path.join(dataDir, "backends")),
    connect: (handler) => listener.connect(handler),
    log,
  };
  return { platform, listener };
}
