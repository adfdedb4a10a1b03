/**
 * Watch fan-out: one put, many watchers. Measures how long after its answer the last watcher has
 * the event (puts one at a time), and how many events a second arrive when puts come in a burst.
 * The client is the same for both servers and has its own limit, which bounds the burst figure.
 */
import type { WatchResponse } from "../src/wire/gen/rpc.js";
import { EtcdClient } from "../test/support/client.js";
import { Watcher } from "../test/support/watcher.js";
import { type LoadResult, percentile } from "./h2load.js";

export interface FanOutPlan {
  readonly endpoint: string;
  readonly watchers: number;
  readonly singlePuts: number;
  readonly burstPuts: number;
}

const CONNECTIONS = 5;
const BURST_IN_FLIGHT = 20;

export async function runFanOut(plan: FanOutPlan): Promise<LoadResult> {
  const clients = Array.from({ length: CONNECTIONS }, () => new EtcdClient(plan.endpoint));
  const key = Buffer.from("fan-out");
  const value = Buffer.alloc(256, "v");
  let arrived = 0;
  let answerBytes = 0;
  let awaited = 0;
  let reached: () => void = () => undefined;
  const watchers = Array.from({ length: plan.watchers }, (_, i) => {
    const watcher = new Watcher(clients[i % CONNECTIONS] as EtcdClient);
    watcher.create({ key });
    return watcher;
  });
  try {
    await Promise.all(watchers.map((watcher) => watcher.next()));
    for (const { stream } of watchers) {
      stream.removeAllListeners("data");
      stream.on("data", (response: WatchResponse) => {
        arrived += response.events.length;
        answerBytes += response.events.length * value.length;
        if (arrived >= awaited) reached();
      });
    }
    const arrivalOf = (events: number): Promise<void> =>
      new Promise((resolve) => {
        awaited = events;
        reached = resolve;
        if (arrived >= awaited) resolve();
      });
    const writer = clients[0] as EtcdClient;
    const delays: number[] = [];
    for (let put = 1; put <= plan.singlePuts; put++) {
      const all = arrivalOf(put * plan.watchers);
      await writer.put({ key, value });
      const answeredAt = performance.now();
      await all;
      delays.push(performance.now() - answeredAt);
    }
    delays.sort((x, y) => x - y);

    const all = arrivalOf((plan.singlePuts + plan.burstPuts) * plan.watchers);
    const startedAt = performance.now();
    let left = plan.burstPuts;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await writer.put({ key, value });
    };
    await Promise.all([all, ...Array.from({ length: BURST_IN_FLIGHT }, worker)]);
    const seconds = (performance.now() - startedAt) / 1_000;
    return {
      perSecond: (plan.burstPuts * plan.watchers) / seconds,
      p50Ms: percentile(delays, 0.5),
      p99Ms: percentile(delays, 0.99),
      answerBytes,
    };
  } finally {
    for (const watcher of watchers) watcher.close();
    for (const client of clients) client.close();
  }
}
