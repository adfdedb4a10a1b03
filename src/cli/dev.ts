/**
 * `lockstep dev`: a cluster of three members on this machine, each in its own process. The data is
 * below `.lockstep/` of the current folder, so the next start finds it again. The members end with
 * the launcher, however the launcher ends. `--base-port N` takes six ports from N on instead of the
 * usual ones, for a second cluster.
 */
import { type ChildProcess, fork } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../config/flags.js";
import { basePortMax, choosePlaces, folder, host, type Place, placesFrom } from "./dev-places.js";

const killAfterMs = 10_000;

export async function runDev(words: readonly string[]): Promise<number> {
  let wanted: readonly Place[] | undefined;
  try {
    wanted = wantedPlaces(words);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  fs.mkdirSync(folder, { recursive: true });
  const places = await choosePlaces(wanted);
  if (typeof places === "string") {
    process.stderr.write(places);
    return 1;
  }
  const cluster = new DevCluster(places);
  const ends = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of ends) process.on(signal, () => cluster.stop());
  return cluster.run();
}

/** How to call this program from the current folder: by its path if it lies there, else by name. */
function command(): string {
  const script = path.relative(process.cwd(), process.argv[1] ?? "");
  return script.startsWith("..") || script === "" ? "lockstep" : script;
}

/** @throws UsageError */
function wantedPlaces(words: readonly string[]): readonly Place[] | undefined {
  const [word, ...more] = words.flatMap((each) => each.split(/(?<=^--base-port)=/));
  if (word === undefined) return undefined;
  const [port = "", ...others] = more;
  if (word !== "--base-port" || others.length > 0) {
    throw new UsageError(`lockstep dev takes --base-port alone, but got: ${words.join(" ")}`);
  }
  if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > basePortMax) {
    throw new UsageError(`--base-port is a number from 1 to ${basePortMax}, but got: "${port}"`);
  }
  return placesFrom(Number(port));
}

class DevCluster {
  readonly #places: readonly Place[];
  readonly #children = new Map<string, ChildProcess>();
  readonly #ready = new Set<string>();
  #isTold = false;
  #isStopping = false;
  #failed = false;
  #done: (code: number) => void = () => {};

  constructor(places: readonly Place[]) {
    this.#places = places;
  }

  run(): Promise<number> {
    const initialCluster = this.#places.map(({ name, peer }) => `${name}=${url(peer)}`).join(",");
    for (const place of this.#places) this.#start(place, initialCluster);
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    process.stdout.write("\nStopping; the data stays in .lockstep/\n");
    for (const child of this.#children.values()) child.kill("SIGTERM");
    setTimeout(() => {
      for (const child of this.#children.values()) child.kill("SIGKILL");
    }, killAfterMs).unref();
  }

  #start(place: Place, initialCluster: string): void {
    const main = fileURLToPath(new URL("./main.js", import.meta.url));
    const logFile = path.join(folder, `${place.name}.log`);
    const log = fs.openSync(logFile, "a");
    const child = fork(
      main,
      [
        "server",
        `--name=${place.name}`,
        `--data-dir=${path.join(folder, place.name)}`,
        `--listen-client-urls=${url(place.client)}`,
        `--advertise-client-urls=${url(place.client)}`,
        `--listen-peer-urls=${url(place.peer)}`,
        `--initial-advertise-peer-urls=${url(place.peer)}`,
        `--initial-cluster=${initialCluster}`,
        "--initial-cluster-token=lockstep-dev",
      ],
      // The member is in another process group than the terminal's, so that ctrl-C reaches the
      // launcher alone. When the channel closes, a member knows that its launcher is gone.
      { stdio: ["ignore", log, log, "ipc"], detached: true },
    );
    fs.closeSync(log);
    this.#children.set(place.name, child);
    child.on("message", () => this.#becameReady(place.name));
    child.on("exit", (code, signal) => this.#ended(place, logFile, signal ?? code));
  }

  #becameReady(name: string): void {
    this.#ready.add(name);
    this.#tellWhenReady();
  }

  /** Prints the addresses once, when every running member serves. */
  #tellWhenReady(): void {
    if (this.#isTold || this.#ready.size === 0 || this.#ready.size < this.#children.size) return;
    this.#isTold = true;
    const endpoints = this.#places.map(({ client }) => `${host}:${client}`).join(",");
    process.stdout.write(
      [
        "",
        this.#ready.size === this.#places.length
          ? "A cluster of three members is ready."
          : `A cluster is ready, but only ${this.#ready.size} of its three members serve.`,
        `  endpoints  ${endpoints}`,
        `  data       ${folder}/   logs  ${folder}/m1.log ...`,
        "",
        "Try, in another terminal:",
        `  ${command()} ctl --endpoints ${endpoints} put greeting hello`,
        `  ${command()} ctl --endpoints ${endpoints} get greeting`,
        `  ${command()} ctl --endpoints ${endpoints} endpoint status -w table`,
        "  (etcdctl takes the same words)",
        "",
        "ctrl-C stops it; the next start comes back with its data.",
        "",
      ].join("\n"),
    );
  }

  #ended(place: Place, logFile: string, how: string | number | null): void {
    this.#children.delete(place.name);
    this.#ready.delete(place.name);
    if (!this.#isStopping) {
      this.#failed = true;
      process.stderr.write(`Member ${place.name} ended (${how}): see ${logFile}\n`);
      this.#tellWhenReady();
    }
    if (this.#children.size === 0) this.#done(this.#failed ? 1 : 0);
  }
}

function url(port: number): string {
  return `http://${host}:${port}`;
}
