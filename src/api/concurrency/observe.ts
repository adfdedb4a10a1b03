/**
 * The stream that tells who leads an election: first the present leader, then each proclamation and
 * each next leader.
 */
import type { StreamCall } from "../../grpc/call.js";
import type { LocalServer } from "../../grpc/local/local-server.js";
import type { Member } from "../../member/types.js";
import { LeaderRequest, LeaderResponse } from "../../wire/gen/election.js";
import { Event_EventType, type KeyValue } from "../../wire/gen/kv.js";
import type { ResponseHeader } from "../../wire/gen/rpc.js";
import { answersUnread, decodeOnStream, headerOf } from "../status.js";
import { CallError, endWith, InnerClient } from "./inner-client.js";
import { endOfFolder, firstCreated, rangeRpc } from "./requests.js";

const nothing = Buffer.alloc(0);
/** How many answers a client may leave unread. */
const waitingMax = 1_000;

/** @param folderOf where the candidates of an election of this name have their keys */
export function observing(
  member: Member,
  server: LocalServer,
  folderOf: (name: Buffer) => Buffer,
): (call: StreamCall) => void {
  return (call) => {
    call.onMessage((message) => {
      const request = decodeOnStream(call, LeaderRequest, message);
      if (request === undefined) return;
      const observer = new Observer(member, new InnerClient(server, call), call);
      observer.run(folderOf(request.name)).catch((error: unknown) => endWith(member, call, error));
    });
  };
}

class Observer {
  readonly #member: Member;
  readonly #client: InnerClient;
  readonly #call: StreamCall;
  #unread = 0;

  constructor(member: Member, client: InnerClient, call: StreamCall) {
    this.#member = member;
    this.#client = client;
    this.#call = call;
    call.onDrain(() => {
      this.#unread = 0;
    });
  }

  /** Runs until an error ends it, for example when the caller has gone. */
  async run(folder: Buffer): Promise<never> {
    for (;;) {
      const { header, kvs } = await this.#client.unary(rangeRpc, firstCreated(folder));
      const [leader] = kvs;
      const from = (header?.revision ?? 0n) + 1n;
      if (leader === undefined) {
        const range = { key: folder, rangeEnd: endOfFolder(folder) };
        await this.#client.watch(range, from, ({ type }) => type === Event_EventType.PUT);
      } else {
        this.#tell(header, leader);
        await this.#follow(leader.key, from);
      }
    }
  }

  /** Sends each proclamation of this leader until its key is gone. */
  #follow(key: Buffer, from: bigint): Promise<void> {
    return this.#client.watch({ key, rangeEnd: nothing }, from, ({ type, kv }) => {
      if (type === Event_EventType.DELETE) return true;
      if (kv !== undefined) this.#tell(headerOf(this.#member, Number(kv.mod_revision)), kv);
      return false;
    });
  }

  #tell(header: ResponseHeader | undefined, kv: KeyValue): void {
    if (this.#call.send(LeaderResponse.encode({ header, kv }).finish())) this.#unread = 0;
    else if (++this.#unread > waitingMax) {
      throw new CallError(answersUnread);
    }
  }
}
