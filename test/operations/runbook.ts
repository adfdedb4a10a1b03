/**
 * A page of docs/operations as something that can be run: its code blocks by the names in the comments
 * above them, executed as they stand by a shell that finds `lockstep` on its path.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cleanEnv } from "../../src/cli/stage/server-process.js";
import { projectRoot } from "../support/server-kind.js";

const timeoutMs = 60_000;
const block = /^```sh\n([\s\S]*?)^```$/gm;
const named = /^<!-- step: (\w+) -->\n```sh\n([\s\S]*?)^```$/gm;

export const runbookFolder: string = join(projectRoot, "docs/operations");

export interface Ran {
  readonly code: number | null;
  /** Standard output and error, as they came. */
  readonly text: string;
}

export class Runbook {
  readonly #steps: ReadonlyMap<string, string>;
  readonly #ran = new Set<string>();
  readonly #folder: string;
  readonly env: Record<string, string> = {};

  /** `folder`: where the shell finds its files. @throws if a block has no name, or two have one */
  constructor(page: string, folder: string) {
    const text = readFileSync(join(runbookFolder, page), "utf8");
    const steps = [...text.matchAll(named)].map(([, name, code]) => [name, code] as const);
    this.#steps = new Map(steps as [string, string][]);
    if (this.#steps.size !== [...text.matchAll(block)].length) {
      throw new Error(`${page} has a command without a name of its own`);
    }
    this.#folder = folder;
    mkdirSync(join(folder, "bin"), { recursive: true });
    mkdirSync(join(folder, "aside"), { recursive: true });
    const launcher = `#!/bin/sh\nexec "${process.execPath}" "${join(projectRoot, "bin/lockstep")}" "$@"\n`;
    writeFileSync(join(folder, "bin/lockstep"), launcher, { mode: 0o755 });
    this.env.ASIDE = join(folder, "aside");
  }

  /** Those that were never run. */
  left(): string[] {
    return [...this.#steps.keys()].filter((name) => !this.#ran.has(name));
  }

  run(name: string): Promise<Ran> {
    const code = this.#steps.get(name);
    if (code === undefined) throw new Error(`there is no step ${name}`);
    this.#ran.add(name);
    const path = `${join(this.#folder, "bin")}:${process.env.PATH ?? ""}`;
    const child = spawn("sh", ["-eu", "-c", code], {
      env: cleanEnv({ ...this.env, PATH: path }),
      cwd: this.#folder,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
    }
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exit) => resolve({ code: exit, text }));
    });
  }

  /** Runs a step until it ends with code 0 and says what is hoped for. */
  async until(name: string, hoped = /(?:)/, withinMs = 80_000): Promise<Ran> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const ran = await this.run(name);
      if (ran.code === 0 && hoped.test(ran.text)) return ran;
      if (Date.now() > deadline) throw new Error(`${name} ends with ${ran.code}:\n${ran.text}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
