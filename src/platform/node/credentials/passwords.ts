/** Passwords on a worker thread of their own, which starts with the first password. */
import { Worker } from "node:worker_threads";
import { KvError } from "../../../base/errors.js";
import type { Passwords } from "../../credentials.js";
import type { PasswordJob, PasswordResult } from "./password-worker.js";

type Told = (result: PasswordResult | KvError) => void;

export function createNodePasswords(log: (message: string, fields: object) => void): Passwords {
  const waiting = new Map<number, Told>();
  let worker: Worker | undefined;
  let nextId = 0;
  let isClosed = false;
  /** The jobs of a thread that is gone fail; the next job starts another thread. */
  const lost = (from: Worker, error: Error | undefined): void => {
    if (worker !== from) return;
    worker = undefined;
    if (isClosed) return;
    if (error !== undefined) log("the thread for passwords failed", { error: error.message });
    const failed = [...waiting.values()];
    waiting.clear();
    for (const told of failed) told(new KvError("internal"));
  };
  const start = (): Worker => {
    const started = new Worker(new URL("./password-worker.js", import.meta.url));
    started.unref();
    started.on("message", (result: PasswordResult) => {
      const told = waiting.get(result.id);
      waiting.delete(result.id);
      told?.(result);
    });
    started.on("error", (error) => lost(started, error));
    started.on("exit", () => lost(started, undefined));
    return started;
  };
  const run = (job: Omit<PasswordJob, "id">, told: Told): void => {
    if (isClosed) return;
    worker ??= start();
    const id = nextId++;
    waiting.set(id, told);
    worker.postMessage({ ...job, id });
  };
  return {
    hash: (password, cost, done) =>
      run({ password, cost, hash: undefined }, (result) =>
        done(result instanceof KvError ? result : (result.hash ?? new KvError("passwordTooLong"))),
      ),
    fits: (password, hash, done) =>
      run({ password, cost: 0, hash }, (result) =>
        done(result instanceof KvError ? result : result.fits),
      ),
    close: () => {
      isClosed = true;
      waiting.clear();
      worker?.terminate().catch(() => {});
    },
  };
}
