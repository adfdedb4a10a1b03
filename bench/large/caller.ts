/**
 * A process that makes large requests, so that reading their answers does not disturb the probe.
 * Started by `startCaller`, which sends it one call after the other.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type BareAnswer, BareClient } from "./http2-client.js";

/** `copies` equal calls at a time, each on a connection of its own. */
export interface CallerJob {
  readonly endpoint: string;
  readonly path: string;
  /** The request message, base64. */
  readonly message: string;
  readonly copies: number;
}

export class Caller {
  readonly #child: ChildProcess;
  /** Resolves when the process can take calls. Starting it takes a second of a processor. */
  readonly ready: Promise<void>;

  constructor() {
    const file = fileURLToPath(import.meta.url);
    this.#child = fork(file, ["child"], { execArgv: ["--import", "tsx"] });
    this.ready = new Promise((resolve) => this.#child.once("message", () => resolve()));
  }

  /** @throws if a call did not end with status OK */
  async call(job: CallerJob): Promise<readonly BareAnswer[]> {
    await this.ready;
    const told = new Promise<readonly BareAnswer[] | { readonly error: string }>((resolve) => {
      this.#child.once("message", resolve as (message: unknown) => void);
    });
    this.#child.send(job);
    const answers = await told;
    if ("error" in answers) throw new Error(`${job.path}: ${answers.error}`);
    for (const { status, message } of answers) {
      if (status !== "0") throw new Error(`${job.path}: status ${status} ${message}`);
    }
    return answers;
  }

  stop(): void {
    this.#child.kill();
  }
}

async function run(job: CallerJob): Promise<readonly BareAnswer[]> {
  const message = Buffer.from(job.message, "base64");
  const clients = await Promise.all(
    Array.from({ length: job.copies }, () => BareClient.open(job.endpoint)),
  );
  try {
    return await Promise.all(clients.map((client) => client.call(job.path, message)));
  } finally {
    for (const client of clients) client.close();
  }
}

if (process.argv[2] === "child") {
  process.send?.("ready");
  process.on("message", (job: CallerJob) => {
    run(job).then(
      (answers) => process.send?.(answers),
      (error: Error) => process.send?.({ error: error.message }),
    );
  });
}
