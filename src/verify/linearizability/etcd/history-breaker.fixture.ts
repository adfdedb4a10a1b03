/**
 * For tests and benchmarks only: puts one lie into a true history. Each function returns undefined
 * if the history has no place for its lie. What it returns is never linearizable, or never a
 * truthful watch, whatever the unknown operations did.
 */
import type { Rng } from "../../../platform/rng.js";
import type {
  Answer,
  History,
  KeyValue,
  Operation,
  Outcome,
  Watch,
  WatchEvent,
} from "../../history/types.js";

export type Breaker = (history: History, rng: Rng) => History | undefined;

type Answered = Operation & {
  readonly returnUs: number;
  readonly outcome: Extract<Outcome, { kind: "ok" }>;
};

/** Larger than any revision in a test's history. */
const far = 1_000_000;

export const operationBreakers: Readonly<Record<string, Breaker>> = {
  /** Two writes in sequence name their revisions the other way round. */
  "swapped revisions": (history, rng) => {
    const writes = history.operations.filter(isWrite);
    const pairs = writes.flatMap((a) =>
      writes.filter((b) => a.returnUs < b.callUs).map((b) => [a, b] as const),
    );
    const pair = pick(pairs, rng);
    if (pair === undefined) return undefined;
    const [first, second] = pair;
    const once = replaceOperation(history, withRevision(first, second.outcome.revision));
    return replaceOperation(once, withRevision(second, first.outcome.revision));
  },
  /** Two writes name the same revision. */
  "duplicated revision": (history, rng) => {
    const writes = history.operations.filter(isWrite);
    const [one, other] = [pick(writes, rng), pick(writes, rng)];
    if (one === undefined || other === undefined || one === other) return undefined;
    return replaceOperation(history, withRevision(one, other.outcome.revision));
  },
  /** A read names a revision below what was acknowledged before it was called. */
  "stale revision": (history, rng) => {
    const answered = history.operations.filter(isAnswered).filter(isOfKeySpace);
    const stale = answered.filter(isRead).flatMap((read) => {
      const known = answered.filter(({ returnUs }) => returnUs < read.callUs);
      const least = Math.max(1, ...known.map(({ outcome }) => outcome.revision));
      return least > 1 ? [withRevision(read, least - 1)] : [];
    });
    const read = pick(stale, rng);
    return read === undefined ? undefined : replaceOperation(history, read);
  },
  "revision of the far future": (history, rng) => {
    const read = pick(history.operations.filter(isAnswered).filter(isOfKeySpace), rng);
    return read === undefined
      ? undefined
      : replaceOperation(history, withRevision(read, read.outcome.revision + far));
  },
  "wrong version": (history, rng) =>
    changeKv(history, { rng, change: (kv) => ({ ...kv, version: kv.version + far }) }),
  "wrong create revision": (history, rng) =>
    changeKv(history, { rng, change: (kv) => ({ ...kv, create: kv.mod + 1 }) }),
  "value that nobody wrote": (history, rng) =>
    changeKv(history, { rng, change: (kv) => ({ ...kv, value: "nobody" }) }),
  "lease that nobody granted": (history, rng) =>
    changeKv(history, { rng, change: (kv) => ({ ...kv, lease: "5" }) }),
  "key that nobody wrote": (history, rng) => {
    const stray = { key: "k~", value: "stray", create: 1, mod: 1, version: 1 };
    return changeRange(history, rng, ({ kvs, count }) => ({
      kvs: [...kvs, stray],
      count: count + 1,
    }));
  },
  "wrong count": (history, rng) =>
    changeRange(history, rng, ({ kvs, count }) => ({ kvs, count: count + far })),
  "wrong number of deleted keys": (history, rng) =>
    changeAnswer(history, rng, (answer) =>
      answer.kind === "delete" ? { ...answer, deleted: answer.deleted + far } : undefined,
    ),
  "other branch of a transaction": (history, rng) => {
    // Only transactions whose branches differ clearly and in which one key decides.
    const swaps = history.operations.filter(isAnswered).filter(({ request }) => {
      return request.kind === "txn" && request.success[0]?.kind !== request.failure[0]?.kind;
    });
    const swap = pick(swaps, rng);
    if (swap === undefined || swap.outcome.answer.kind !== "txn") return undefined;
    const { succeeded } = swap.outcome.answer;
    const answer = { ...swap.outcome.answer, succeeded: !succeeded };
    return replaceOperation(history, { ...swap, outcome: { ...swap.outcome, answer } });
  },
};

/**
 * The lies, each with the rule that it breaks; the watch rules need the ground truth to find them.
 */
export const watchBreakers: Readonly<Record<string, Breaker>> = {
  "phantom event": (history, rng) =>
    changeEvent(history, rng, (event) => [event, { ...event, key: `${event.key}~` }]),
  "lost event": (history, rng) => changeEvent(history, rng, () => [], "inner"),
  "doubled event": (history, rng) => changeEvent(history, rng, (event) => [event, event]),
  "wrong value in an event": (history, rng) =>
    changeEvent(history, rng, (event) => [{ ...event, value: `${event.value}~` }]),
  "wrong previous value": (history, rng) =>
    changeEvent(history, rng, (event) =>
      event.prev === undefined ? undefined : [{ ...event, prev: { ...event.prev, value: "~" } }],
    ),
  "progress beyond what was delivered": (history, rng) => {
    const watch = pick(history.watches.filter(isProgressGap), rng);
    if (watch === undefined) return undefined;
    const at = watch.responses.findIndex(({ events }) => events.length > 0);
    const { atUs, events } = watch.responses[at] as Watch["responses"][number];
    const progress = { atUs, revision: events.at(-1)?.mod ?? 0, events: [] };
    return replaceWatch(history, {
      ...watch,
      responses: watch.responses.toSpliced(at, 0, progress),
    });
  },
};

function isAnswered(operation: Operation): operation is Answered {
  return operation.outcome.kind === "ok" && operation.returnUs !== undefined;
}

function isLocal({ request }: Operation): boolean {
  return request.kind === "range" && request.serializable === true;
}

/** Its revision is exact: the request went through the log or a read barrier. */
function isOfKeySpace(operation: Operation): boolean {
  return ["range", "put", "delete", "txn"].includes(operation.request.kind) && !isLocal(operation);
}

function isRead({ request }: Operation): boolean {
  return request.kind === "range" && (request.revision ?? 0) === 0;
}

/** The operation that surely made its revision. */
function isWrite(operation: Operation): operation is Answered {
  if (!isAnswered(operation)) return false;
  const { answer } = operation.outcome;
  return answer.kind === "put" || (answer.kind === "delete" && answer.deleted > 0);
}

function isProgressGap({ responses }: Watch): boolean {
  return responses.some(({ events }) => events.length > 0);
}

function pick<T>(from: readonly T[], rng: Rng): T | undefined {
  return from.length === 0 ? undefined : from[rng.int(from.length)];
}

function withRevision(operation: Answered, revision: number): Answered {
  return { ...operation, outcome: { ...operation.outcome, revision } };
}

function replaceOperation(history: History, changed: Operation): History {
  const operations = history.operations.map((one) => (one.id === changed.id ? changed : one));
  return { ...history, operations };
}

function replaceWatch(history: History, changed: Watch): History {
  return {
    ...history,
    watches: history.watches.map((one) => (one.id === changed.id ? changed : one)),
  };
}

function changeAnswer(
  history: History,
  rng: Rng,
  change: (answer: Answer) => Answer | undefined,
): History | undefined {
  const changed = history.operations.filter(isAnswered).flatMap((operation) => {
    const answer = isLocal(operation) ? undefined : change(operation.outcome.answer);
    if (answer === undefined) return [];
    return [{ ...operation, outcome: { ...operation.outcome, answer } }];
  });
  const operation = pick(changed, rng);
  return operation === undefined ? undefined : replaceOperation(history, operation);
}

type RangeContent = { readonly kvs: readonly KeyValue[]; readonly count: number };

function changeRange(
  history: History,
  rng: Rng,
  change: (content: RangeContent) => RangeContent | undefined,
): History | undefined {
  return changeAnswer(history, rng, (answer) => {
    const content = answer.kind === "range" ? change(answer) : undefined;
    return content === undefined ? undefined : { kind: "range", ...content };
  });
}

function changeKv(
  history: History,
  options: { readonly rng: Rng; readonly change: (kv: KeyValue) => KeyValue },
): History | undefined {
  return changeRange(history, options.rng, ({ kvs, count }) => {
    const [first, ...rest] = kvs;
    return first === undefined ? undefined : { kvs: [options.change(first), ...rest], count };
  });
}

/** @param where "inner": the watch continues after the event, so that its loss is visible */
function changeEvent(
  history: History,
  rng: Rng,
  change: (event: WatchEvent) => readonly WatchEvent[] | undefined,
  where: "any" | "inner" = "any",
): History | undefined {
  const places = history.watches.flatMap((watch) => {
    const last = watch.responses.flatMap(({ events }) => events).at(-1)?.mod ?? 0;
    return watch.responses.flatMap(({ events }, response) =>
      events.flatMap((event, at) => {
        if (where === "inner" && (event.mod === last || isFirst(watch, event))) return [];
        const events = change(event);
        return events === undefined ? [] : [{ watch, response, at, events }];
      }),
    );
  });
  const place = pick(places, rng);
  if (place === undefined) return undefined;
  const responses = place.watch.responses.map((response, at) =>
    at === place.response
      ? { ...response, events: response.events.toSpliced(place.at, 1, ...place.events) }
      : response,
  );
  return replaceWatch(history, { ...place.watch, responses });
}

function isFirst(watch: Watch, event: WatchEvent): boolean {
  return watch.responses.find(({ events }) => events.length > 0)?.events[0] === event;
}
