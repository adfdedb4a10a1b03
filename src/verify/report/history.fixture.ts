/** A made-up history for tests of the history page: every kind and outcome, the same each time. */
import type {
  History,
  Mark,
  Operation,
  OperationOutcome,
  Request,
  Watch,
} from "../history/types.js";

const clients = 10;

/** Operation n is called at about n * 100 us; the one in the middle is refused, every 50th unknown. */
export function madeUpHistory(count: number): History {
  const operations = Array.from({ length: count }, (_, id) => operation(id, count));
  const endUs = count * 100;
  const marks: Mark[] = [
    { atUs: endUs * 0.2, kind: "fault", member: "n1", text: "power failure" },
    { atUs: endUs * 0.25, kind: "leader", member: "n2", text: "leads term 3" },
    { atUs: endUs * 0.4, kind: "heal", member: "n1", text: "started" },
    { atUs: endUs * 0.75, kind: "violation", text: "C2: read of an older value" },
  ];
  return { operations, watches: [watch(0, endUs), watch(1, endUs)], marks };
}

function operation(id: number, count: number): Operation {
  const client = id % clients;
  const callUs = id * 100 + ((id * 37) % 60);
  const outcome = outcomeOf(id, count);
  const isSilent = outcome.kind === "unknown" && id % 100 === 0;
  return {
    id,
    client,
    member: `n${1 + (id % 3)}`,
    callUs,
    returnUs: isSilent ? undefined : callUs + 100 + ((id * 53) % 700),
    request: requestOf(id),
    outcome,
  };
}

function requestOf(id: number): Request {
  const key = `k${id % 7}`;
  switch (id % 6) {
    case 0:
      return { kind: "put", key, value: `v${id}` };
    case 1:
      return { kind: "delete", key, end: "k9" };
    case 2:
      return {
        kind: "txn",
        compares: [{ key, target: "mod", result: "=", value: 0 }],
        success: [{ kind: "put", key, value: "first" }],
        failure: [{ kind: "range", key }],
      };
    case 3:
      return { kind: "leaseGrant", id: "0", ttl: 10 };
    default:
      return { kind: "range", key, ...(id % 2 === 0 ? { serializable: true } : {}) };
  }
}

function outcomeOf(id: number, count: number): OperationOutcome {
  if (id % 50 === 0) return { kind: "unknown", error: "timeout" };
  if (id === count / 2 + 1) return { kind: "refused", error: "no space" };
  const kvs = [{ key: `k${id % 7}`, value: `v${id}`, create: 1, mod: id, version: 1 }];
  const answers: Readonly<Record<number, OperationOutcome & { readonly kind: "ok" }>> = {
    0: { kind: "ok", revision: id, answer: { kind: "put" } },
    1: { kind: "ok", revision: id, answer: { kind: "delete", deleted: 1 } },
    2: { kind: "ok", revision: id, answer: { kind: "txn", succeeded: false, answers: [] } },
    3: { kind: "ok", revision: id, answer: { kind: "lease", id: "77", ttl: 10 } },
  };
  return answers[id % 6] ?? { kind: "ok", revision: id, answer: { kind: "range", kvs, count: 1 } };
}

function watch(id: number, endUs: number): Watch {
  const responses = Array.from({ length: 20 }, (_, place) => {
    const version = { create: 1, mod: place + 1, version: place + 1 };
    const event = { type: "put", key: "k1", value: `v${place}`, ...version } as const;
    return { atUs: (endUs * (place + 1)) / 21, revision: place + 1, events: [event] };
  });
  return {
    id,
    client: id,
    member: "n1",
    callUs: 0,
    range: { key: "k", end: "l" },
    revision: 0,
    prevKv: false,
    progressNotify: true,
    filters: [],
    responses,
  };
}
