import type { BackendStore } from "./backend.js";
import type { Clock } from "./clock.js";
import type { Passwords, TokenSigner } from "./credentials.js";
import type { Disk } from "./disk.js";
import type { Hash } from "./hash.js";
import type { Network, NetworkHandler } from "./network.js";
import type { Rng } from "./rng.js";

/** Everything a member needs from the world. `platform/node` and the simulator each make one. */
export interface Platform {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly hash: Hash;
  readonly disk: Disk;
  readonly backends: BackendStore;
  readonly passwords: Passwords;
  /** Undefined: the cluster uses simple tokens. */
  readonly signer: TokenSigner | undefined;
  /** Called once at start. */
  connect(handler: NetworkHandler): Network;
  /** Logs one structured fact. Must not throw. */
  log(
    level: "debug" | "info" | "warn" | "error",
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ): void;
}
