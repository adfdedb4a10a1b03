/** The real world for one member: its folder, its peer sockets, the system's clock. */
import path from "node:path";
import type { Platform } from "../platform.js";
import { nodeClock } from "./clock.js";
import { createJwtSigner, type JwtKeys } from "./credentials/jwt.js";
import { createNodePasswords } from "./credentials/passwords.js";
import { refuseEtcdData } from "./data-dir.js";
import { createNodeDisk } from "./disk.js";
import { nodeHash } from "./hash.js";
import { createLmdbBackendStore } from "./lmdb/backend.js";
import { listenForPeers, type NodeNetworkOptions, type PeerListener } from "./peer/network.js";
import { nodeRng } from "./rng.js";

export interface NodePlatformOptions {
  readonly dataDir: string;
  /** Folder of the log; "": "wal" in `dataDir`. */
  readonly walDir: string;
  readonly listenPeers: NodeNetworkOptions["listen"];
  readonly peerCredentials: NodeNetworkOptions["credentials"];
  /** Undefined: simple tokens. */
  readonly jwt: JwtKeys | undefined;
  readonly log: Platform["log"];
}

export interface NodePlatform {
  readonly platform: Platform;
  readonly listener: PeerListener;
}

/** Binds the peer sockets. @throws StartError, or the system's error (EADDRINUSE, ...) */
export async function createNodePlatform(options: NodePlatformOptions): Promise<NodePlatform> {
  const { dataDir, walDir, log } = options;
  refuseEtcdData(dataDir);
  const signer = options.jwt && createJwtSigner(options.jwt);
  // The folder comes first: a listener that nobody closes would keep the process alive.
  const disk = createNodeDisk(dataDir, log, walDir);
  const listener = await listenForPeers({
    listen: options.listenPeers,
    credentials: options.peerCredentials,
    now: nodeClock.now,
    log,
  });
  const platform: Platform = {
    clock: nodeClock,
    rng: nodeRng,
    hash: nodeHash,
    disk,
    backends: createLmdbBackendStore(path.join(dataDir, "backends")),
    passwords: createNodePasswords((message, fields) => log("error", message, { ...fields })),
    signer,
    connect: (handler) => listener.connect(handler),
    log,
  };
  return { platform, listener };
}
