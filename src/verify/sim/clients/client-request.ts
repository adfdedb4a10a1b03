/** Makes a request of a planned action, given what this client has seen. */
import type { Compare, Op, Request } from "../../history/types.js";
import type { ClientAction, ClientOp, UserAction } from "../plan/plan.js";

/** What one client remembers of the answers. */
export interface ClientMemory {
  revision: number;
  /** Mod revision by key; 0: the key did not exist. */
  readonly mods: Map<string, number>;
  /** The value that the client put or read last, by key. */
  readonly values: Map<string, string>;
}

const first = "ka";
const end = "l";

/** The key of that number from 0 on: "ka", "kb" and so on. */
export function keyName(key: number): string {
  return `k${String.fromCharCode(97 + key)}`;
}

/** The id of a lease of the plan, as decimal text. */
export function leaseName(lease: number): string {
  return `${1_000 + lease}`;
}

/** Watches and what users do have no request of this kind. */
export function requestOf(
  op: ClientOp & {
    readonly action: Exclude<ClientAction, { readonly kind: "watch" } | UserAction>;
  },
  memory: ClientMemory,
  keys: number,
): Request {
  const { action, id } = op;
  const value = `v${id}`;
  switch (action.kind) {
    case "put": {
      const lease = action.lease === undefined ? {} : { lease: leaseName(action.lease) };
      return { kind: "put", key: keyName(action.key), value, ...lease };
    }
    case "get":
      return { kind: "range", key: keyName(action.key), serializable: action.serializable };
    case "list": {
      const { serializable, back, limit } = action;
      const revision = back === 0 ? 0 : Math.max(0, memory.revision - back);
      return { kind: "range", key: first, end, serializable, revision, limit };
    }
    case "sorted": {
      const { serializable, back, limit, sortBy, descending } = action;
      const revision = back === 0 ? 0 : Math.max(0, memory.revision - back);
      return {
        ...{ kind: "range", key: first, end, serializable, revision, limit, sortBy, descending },
      };
    }
    case "delete":
      return { kind: "delete", key: keyName(action.key) };
    case "deleteFrom":
      return { kind: "delete", key: keyName(action.key), end: keyName(action.key + action.count) };
    case "cas": {
      const key = keyName(action.key);
      const mod = memory.mods.get(key) ?? 0;
      return {
        kind: "txn",
        compares: [{ key, target: "mod", result: "=", value: mod }],
        success: [{ kind: "put", key, value }],
        failure: [{ kind: "range", key }],
      };
    }
    case "txn":
      return txnOf(action, { value, memory, keys });
    case "compact":
      return { kind: "compact", revision: Math.max(1, memory.revision - action.back) };
    case "grant":
      return { kind: "leaseGrant", id: leaseName(action.lease), ttl: action.ttl };
    case "revoke":
      return { kind: "leaseRevoke", id: leaseName(action.lease) };
    case "keepAlive":
      return { kind: "leaseKeepAlive", id: leaseName(action.lease) };
  }
}

/** `shape` decides, bit by bit, the operations on up to three neighbouring keys. */
function txnOf(
  action: { readonly key: number; readonly shape: number },
  context: { readonly value: string; readonly memory: ClientMemory; readonly keys: number },
): Request {
  const { key, shape } = action;
  const { value, memory, keys } = context;
  const opOf = (bits: number, place: number): Op => {
    const name = keyName((key + place) % keys);
    switch (bits & 3) {
      case 0:
        return { kind: "delete", key: name };
      case 1:
        return { kind: "range", key: name };
      default:
        return { kind: "put", key: name, value: `${value}.${place}` };
    }
  };
  const places = Array.from({ length: Math.min(keys, 1 + ((shape >> 2) & 1) * 2) }, (_, at) => at);
  const name = keyName(key);
  const mod = memory.mods.get(name) ?? 0;
  const compares: readonly Compare[] = [
    { key: name, target: "mod", result: "=", value: mod },
    { key: name, target: "create", result: ">", value: 0 },
    { key: name, target: "version", result: "<", value: 1 + ((shape >> 12) & 7) },
    { key: name, target: "value", result: "!=", value: memory.values.get(name) ?? "v1" },
  ];
  const old: Op[] =
    ((shape >> 11) & 3) === 0
      ? [{ kind: "range", key: first, end, revision: Math.max(1, memory.revision - 3) }]
      : [];
  return {
    kind: "txn",
    compares: [compares[shape & 3] as Compare],
    success: [...places.map((place) => opOf(shape >> (3 + 2 * place), place)), ...old],
    failure: places.map((place) => opOf(shape >> (9 + 2 * place), place)),
  };
}
