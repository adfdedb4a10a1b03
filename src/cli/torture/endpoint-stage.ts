/**
 * The members of a cluster that runs elsewhere, by their client addresses. Nothing here harms them.
 * The run has its own prefix, which must be empty at the beginning and is empty again at the end.
 */

import type { Connection, Stage } from "../../torture/ports.js";
import { end, first } from "../../torture/traffic/draw-request.js";
import { decodeAnswer, encodeRequest } from "../../verify/sim/clients/client-calls.js";
import { connectionText } from "../endpoint-tls.js";
import { type ClusterAccess, SharedLogin } from "./cluster-access.js";
import { connectTo } from "./grpc-connection.js";

const callMs = 10_000;
const everything = { key: first, end } as const;

export class EndpointStage implements Stage {
  readonly members: readonly string[];
  readonly network = undefined;
  readonly disks = undefined;
  readonly clocks = undefined;
  readonly diskTroubles = undefined;
  readonly #access: ClusterAccess;
  readonly #login: SharedLogin | undefined;

  constructor(endpoints: readonly string[], access: ClusterAccess) {
    this.members = endpoints;
    this.#access = access;
    const { user } = access;
    const connect = (member: string): Connection => connectTo(member, access);
    this.#login = user === undefined ? undefined : new SharedLogin({ user, endpoints, connect });
  }

  /**
   * Returns the store's revision before the run. @throws if a member does not answer, the user may
   * not write there, or the prefix is in use
   */
  async prepare(): Promise<number> {
    let revision = 0;
    for (const member of this.members) {
      const request = { kind: "range", ...everything } as const;
      const read = decodeAnswer(request, await this.#call(member, encodeRequest(request)));
      if (read.answer.kind === "range" && read.answer.count > 0) {
        throw new Error(
          `${member} has keys under ${first}: another run is on, or one was killed; then remove them: etcdctl del --prefix ${first}`,
        );
      }
      revision = Math.max(revision, read.revision);
    }
    // Nothing is there to be removed; this only finds out whether the user may write.
    await this.clean();
    return revision;
  }

  /** Removes what the run wrote. @throws if no member answers */
  async clean(): Promise<void> {
    const request = encodeRequest({ kind: "delete", ...everything });
    let failure: unknown;
    for (const member of this.members) {
      try {
        await this.#call(member, request);
        return;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  connect(member: string): Connection {
    return connectTo(member, this.#access, this.#login);
  }

  start(): Promise<void> {
    return Promise.reject(new Error(notOurs));
  }
  endsWithoutFiles(): Promise<boolean> {
    return Promise.reject(new Error(notOurs));
  }
  kill(): Promise<void> {
    return Promise.reject(new Error(notOurs));
  }
  stop(): Promise<void> {
    return Promise.reject(new Error(notOurs));
  }
  pause(): never {
    throw new Error(notOurs);
  }
  resume(): never {
    throw new Error(notOurs);
  }
  peerUrl(): never {
    throw new Error(notOurs);
  }
  willJoin(): never {
    throw new Error(notOurs);
  }
  /** This stage does not watch the processes. */
  onUnexpectedEnd(): void {}

  async #call(
    member: string,
    { path, bytes }: ReturnType<typeof encodeRequest>,
  ): Promise<Uint8Array> {
    const connection = this.connect(member);
    try {
      const result = await connection.call(path, bytes, callMs);
      if (result.kind === "ok") return result.bytes;
      throw new Error(connectionText(member, result.text));
    } finally {
      connection.close();
    }
  }
}

const notOurs = "the processes behind --endpoints are not this command's";
