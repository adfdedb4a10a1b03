/** Runs `lockstep audit` as a process of its own, so that clusters and writers go on beside it. */
import { type ChildProcess, spawn } from "node:child_process";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import { serverCommand } from "../support/server-kind.js";

interface AuditDocument {
  readonly verdict: string;
  readonly agreed?: { readonly revision: number; readonly hash: number };
  readonly members: readonly { readonly appliedIndex?: number }[];
  readonly findings: readonly {
    readonly kind: string;
    readonly text: string;
    readonly members: readonly string[];
    readonly suspects: readonly string[];
  }[];
}
interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class AuditRun {
  readonly #child: ChildProcess;
  readonly #text = { stdout: "", stderr: "" };
  readonly ended: Promise<Ended>;
  #heard: () => void = () => {};

  /** `words` are those of `lockstep audit`, or of another program. */
  constructor(words: readonly string[], program?: string) {
    const { command, args } = serverCommand("lockstep");
    this.#child =
      program === undefined
        ? spawn(command, [...args.slice(0, -1), "audit", ...words], { env: cleanEnv() })
        : spawn(program, words, { env: cleanEnv({ ETCDCTL_API: "3" }) });
    for (const stream of ["stdout", "stderr"] as const) {
      this.#child[stream]?.setEncoding("utf8").on("data", (text: string) => {
        this.#text[stream] += text;
        this.#heard();
      });
    }
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (status) => {
        resolve({ status, ...this.#text });
        this.#heard();
      });
    });
  }

  /** The first group of what it prints. @throws when it ends before */
  async line(pattern: RegExp, stream: "stdout" | "stderr"): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#text[stream]);
      if (match !== null) return match[1] ?? match[0];
      if (this.#child.exitCode !== null) throw new Error(`no ${pattern} in ${this.#text[stream]}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  async end(): Promise<number | null> {
    if (this.#child.exitCode === null) this.#child.kill("SIGTERM");
    return (await this.ended).status;
  }
}

export function run(words: readonly string[], program?: string): Promise<Ended> {
  return new AuditRun(words, program).ended;
}
export function auditOnce(endpoints: readonly string[], ...flags: readonly string[]) {
  return run([`--endpoints=${endpoints}`, "--once", ...flags]);
}
export async function auditJson(endpoints: readonly string[], ...flags: readonly string[]) {
  const ended = await auditOnce(endpoints, "-w", "json", ...flags);
  const document = JSON.parse(ended.stdout) as AuditDocument;
  return {
    ...ended,
    document,
    kinds: document.findings.map(({ kind }) => kind),
    indexes: document.members.map(({ appliedIndex }) => appliedIndex),
  };
}
