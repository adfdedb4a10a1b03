/**
 * Relays in front of each member's peer port and client port. A relay must know who dialled. A
 * member gives its id in the first bytes of a connection, in etcd in the header X-Server-From of
 * its requests (rafthttp), in lockstep in its greeting (docs/formats.md). A peer connection without
 * an id, such as etcd's probes, is never harmed.
 */
import type net from "node:net";
import { decodeGreeting, helloMagic, magicBytes } from "../../platform/node/peer/framing.js";
import type { Rng } from "../../platform/rng.js";
import { clientsPlace, type FlowShape, type LinkFaults } from "../../torture/ports.js";
import { TcpRelay } from "../stage/relay.js";
import { ShapedFlow } from "../stage/shaped-flow.js";

interface Link {
  /** The id that the dialling side gave, or `clientsPlace`. Undefined: it has not given one. */
  dialler: string | undefined;
  readonly member: string;
  readonly incoming: net.Socket;
  readonly onward: net.Socket;
  readonly flows: readonly ShapedFlow[];
}

export class ProxyNetwork implements LinkFaults {
  readonly #rng: Rng;
  readonly #relays: TcpRelay[] = [];
  readonly #links = new Set<Link>();
  readonly #shapes = new Map<string, FlowShape>();
  readonly #cuts = new Set<string>();
  /** Names of members by their ids in hexadecimal digits. */
  readonly #names = new Map<string, string>();

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** Relays connections to a member's client port. @throws if the port is taken */
  async addClients(member: string, port: number, targetPort: number): Promise<void> {
    const wire = (incoming: net.Socket, onward: net.Socket): void => {
      const link = this.#link(member, incoming, onward);
      link.dialler = clientsPlace;
      incoming.on("data", (chunk: Buffer) => link.flows[0]?.push(chunk));
      this.#endIfCut(link);
    };
    this.#relays.push(await TcpRelay.start(targetPort, wire, port));
  }

  /** Relays connections to a member's peer port. @throws if the port is taken */
  async addPeers(member: string, port: number, targetPort: number): Promise<void> {
    const wire = (incoming: net.Socket, onward: net.Socket): void => {
      const link = this.#link(member, incoming, onward);
      let first: Buffer | undefined = Buffer.alloc(0);
      incoming.on("data", (chunk: Buffer) => {
        if (first !== undefined) {
          first = Buffer.concat([first, chunk]);
          const id = diallingId(first);
          if (id !== "cut") {
            first = undefined;
            link.dialler = id;
            this.#endIfCut(link);
          }
        }
        link.flows[0]?.push(chunk);
      });
    };
    this.#relays.push(await TcpRelay.start(targetPort, wire, port));
  }

  /** Call when a member has given its name and this id. */
  know(id: bigint, member: string): void {
    this.#names.set(id.toString(16), member);
  }

  shape(from: string, to: string, shape: FlowShape | undefined): void {
    const way = `${from}>${to}`;
    if (shape === undefined) this.#shapes.delete(way);
    else this.#shapes.set(way, shape);
    for (const { flows } of this.#links) for (const flow of flows) flow.changed();
  }

  cut(one: string, other: string, isCut: boolean): void {
    for (const way of [`${one}>${other}`, `${other}>${one}`]) {
      if (isCut) this.#cuts.add(way);
      else this.#cuts.delete(way);
    }
    for (const link of this.#links) this.#endIfCut(link);
  }

  close(): void {
    for (const relay of this.#relays) relay.close();
  }

  #link(member: string, incoming: net.Socket, onward: net.Socket): Link {
    const draw = (below: number): number => this.#rng.int(below);
    const way = (isOut: boolean) => (): FlowShape | undefined => {
      const dialler = this.#nameOf(link);
      if (dialler === undefined) return undefined;
      return this.#shapes.get(isOut ? `${dialler}>${member}` : `${member}>${dialler}`);
    };
    const out = new ShapedFlow(incoming, onward, { shape: way(true), draw });
    const back = new ShapedFlow(onward, incoming, { shape: way(false), draw });
    onward.on("data", (chunk: Buffer) => back.push(chunk));
    const link: Link = { dialler: undefined, member, incoming, onward, flows: [out, back] };
    this.#links.add(link);
    incoming.on("close", () => this.#links.delete(link));
    return link;
  }

  /**
   * The name of the member that dials. Undefined: members also dial before their ids are known
   * here.
   */
  #nameOf({ dialler }: Link): string | undefined {
    return dialler === undefined || dialler === clientsPlace ? dialler : this.#names.get(dialler);
  }

  #endIfCut(link: Link): void {
    const { member, incoming } = link;
    const dialler = this.#nameOf(link);
    if (dialler !== undefined && this.#cuts.has(`${dialler}>${member}`)) incoming.destroy();
  }
}

const serverFrom = /^x-server-from: *([0-9a-f]+)/im;
const headBytesMax = 8_192;

/**
 * The id of the dialling member, in hexadecimal digits. "cut": more bytes are needed. Undefined:
 * the bytes have none.
 */
export function diallingId(bytes: Buffer): string | "cut" | undefined {
  if (bytes.length < magicBytes) return "cut";
  if (bytes.toString("latin1", 0, magicBytes) === helloMagic) {
    const decoded = decodeGreeting(bytes);
    return decoded === "cut" || decoded === undefined
      ? decoded
      : decoded.greeting.from.toString(16);
  }
  const text = bytes.toString("latin1", 0, headBytesMax);
  if (!/^(GET|POST|PUT|HEAD) /.test(text)) return undefined;
  const end = text.indexOf("\r\n\r\n");
  if (end < 0 && bytes.length < headBytesMax) return "cut";
  const id = serverFrom.exec(text)?.[1];
  return id === undefined ? undefined : BigInt(`0x${id}`).toString(16);
}
