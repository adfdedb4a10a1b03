/**
 * A server process under test or torture. It is spawned, watched for the log line that says it
 * serves, and ended by its own handle, never by name. Its output goes to a log file, and the end of
 * it into error messages. Every process still alive when the test process exits is killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";

export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  /**
   * Variables to add to the environment, which is passed on without ETCD_* and ETCDCTL_* variables.
   */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Linux counts CPU time in units of 1/100 s in /proc (USER_HZ). */
const ticksPerSecond = 100;
const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

export function cleanEnv(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^(ETCD|ETCDCTL|VITEST|NODE_OPTIONS)/.test(name)) env[name] = value;
  }
  return { ...env, ...extra };
}

export class ServerProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  readonly #logFile: string;
  #exit: Exit | undefined;
  #unreadText = "";
  #lineWaiters: { readonly pattern: RegExp; readonly found: () => void }[] = [];

  constructor(options: ProcessOptions) {
    this.#logFile = options.logFile;
    appendFileSync(this.#logFile, `--- ${options.command} ${options.args.join(" ")}\n`);
    this.child = spawn(options.command, [...options.args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: cleanEnv(options.env),
      cwd: options.cwd,
    });
    alive.add(this.child);
    const take = (chunk: Buffer): void => this.#take(chunk);
    this.child.stdout?.on("data", take);
    this.child.stderr?.on("data", take);
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        alive.delete(this.child);
        this.#exit = exit;
        resolve(exit);
      };
      this.child.once("error", (error) => {
        appendFileSync(this.#logFile, `--- ${error.message}\n`);
        end({ code: -1, signal: null });
      });
      this.child.once("exit", (code, signal) => end({ code, signal }));
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }
  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  #take(chunk: Buffer): void {
    // A test may have removed its folder before the last output of its killed server arrives.
    if (existsSync(this.#logFile)) appendFileSync(this.#logFile, chunk);
    if (this.#lineWaiters.length === 0) return;
    const lines = (this.#unreadText + chunk.toString("utf8")).split("\n");
    this.#unreadText = lines.pop() ?? "";
    for (const line of lines) {
      for (const waiter of this.#lineWaiters) if (waiter.pattern.test(line)) waiter.found();
    }
  }

  /** Everything that this process, and earlier ones with this log file, printed. */
  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, "utf8") : "";
  }
  /** The end of its log. */
  lastWords(): string {
    return this.log().split("\n").slice(-25).join("\n");
  }

  /** Waits for a line printed from now on. Rejects when the process ends before, or on time-out. */
  waitForLine(pattern: RegExp, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = { pattern, found: () => settle(resolve) };
      const settle = (then: () => void): void => {
        clearTimeout(timer);
        this.#lineWaiters = this.#lineWaiters.filter((other) => other !== waiter);
        then();
      };
      const timer = setTimeout(() => {
        const text = `no ${pattern} within ${timeoutMs} ms; its log ends:\n${this.lastWords()}`;
        settle(() => reject(new Error(text)));
      }, timeoutMs);
      this.#lineWaiters.push(waiter);
      void this.exited.then((exit) => {
        const how = exit.signal ?? `code ${exit.code}`;
        settle(() => reject(new Error(`ended by ${how}; its log ends:\n${this.lastWords()}`)));
      });
    });
  }

  async kill(): Promise<Exit> {
    if (this.isRunning) this.child.kill("SIGKILL");
    return this.exited;
  }

  /** Sends SIGTERM, and SIGKILL if the process is still there after `graceMs`. */
  async stop(graceMs = 10_000): Promise<Exit> {
    if (this.isRunning) this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  pause(): void {
    this.child.kill("SIGSTOP");
  }
  resume(): void {
    this.child.kill("SIGCONT");
  }

  /** Resident bytes now, those of them that map no file, and the most so far (Linux). */
  memory(): { readonly rssBytes: number; readonly anonBytes: number; readonly peakBytes: number } {
    const text = readFileSync(`/proc/${this.pid}/status`, "utf8");
    const field = (name: string): number =>
      1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
    return { rssBytes: field("VmRSS"), anonBytes: field("RssAnon"), peakBytes: field("VmHWM") };
  }
  /** User and system CPU seconds used so far (Linux). */
  cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    // The command name may hold spaces, so fields count from its closing parenthesis. utime is
    // field 14.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }
}
