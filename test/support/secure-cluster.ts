/**
 * Three members of one kind with mutual TLS on every listener, each a process of its own; the caller
 * turns auth on with `etcdctl`. No common name of a certificate is a user: all clients log in.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { cleanEnv, ServerProcess } from "../../src/cli/stage/server-process.js";
import { freePorts } from "../../src/platform/node/free-ports.js";
import type { Authority, CertificateFiles } from "./certificates.js";
import { etcdctlPath, type ServerKind, serverCommand } from "./server-kind.js";

export interface Printed {
  readonly code: number | null;
  /** Standard output and standard error, as they came. */
  readonly text: string;
}

export interface SecureClusterPlan {
  readonly kind: ServerKind;
  /** An existing folder for data and logs. */
  readonly folder: string;
  readonly authority: Authority;
}

export class SecureCluster {
  readonly kind: ServerKind;
  readonly folder: string;
  readonly caFile: string;
  readonly client: CertificateFiles;
  /** Without a common name: the JSON gateway refuses clients with one while auth is on. */
  readonly namelessClient: CertificateFiles;
  /** Of the members' client URLs, then of their peer URLs. */
  readonly ports: readonly number[];
  readonly #members: ServerProcess[] = [];

  private constructor({ kind, folder, authority }: SecureClusterPlan, ports: readonly number[]) {
    this.kind = kind;
    this.folder = folder;
    this.caFile = authority.caFile;
    this.client = authority.issue(`client-of-${kind}`);
    this.ports = ports;
    this.namelessClient = authority.issue(`gateway-client-of-${kind}`, { commonName: "" });
    const own = authority.issue(`member-of-${kind}`);
    const url = (at: number): string => `https://127.0.0.1:${ports[at]}`;
    const initialCluster = [0, 1, 2].map((at) => `m${at}=${url(at + 3)}`).join(",");
    const { command, args } = serverCommand(kind);
    for (const at of [0, 1, 2]) {
      const flags = {
        ...{ name: `m${at}`, "data-dir": join(folder, `${kind}-${at}`) },
        ...{ "initial-cluster": initialCluster, "bcrypt-cost": "4" },
        ...{ "listen-client-urls": url(at), "advertise-client-urls": url(at) },
        ...{ "listen-peer-urls": url(at + 3), "initial-advertise-peer-urls": url(at + 3) },
        ...{ "cert-file": own.cert, "key-file": own.key, "trusted-ca-file": this.caFile },
        ...{ "peer-cert-file": own.cert, "peer-key-file": own.key },
        ...{ "peer-trusted-ca-file": this.caFile, "peer-client-cert-auth": "true" },
        "client-cert-auth": "true",
        // An alarm of missing space stays until it is disarmed, as in etcd.
        ...(kind === "lockstep" ? { "nospace-end": "manual" } : {}),
      };
      const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
      const logFile = join(folder, `${kind}-${at}.log`);
      this.#members.push(new ServerProcess({ command, args: [...args, ...words], logFile }));
    }
  }

  static async start(plan: SecureClusterPlan): Promise<SecureCluster> {
    const cluster = new SecureCluster(plan, await freePorts("127.0.0.1", 6));
    try {
      await Promise.all(
        cluster.#members.map((member) => member.waitForLine(/ready to serve client/, 30_000)),
      );
    } catch (cause) {
      await cluster.kill();
      throw cause;
    }
    return cluster;
  }

  get endpoints(): readonly string[] {
    return this.ports.slice(0, 3).map((port) => `127.0.0.1:${port}`);
  }

  /** What etcdctl 3.5 prints at the first member. `words` are split at spaces. */
  async etcdctl(words: string, input = ""): Promise<Printed> {
    const tls = [`--cacert=${this.caFile}`, `--cert=${this.client.cert}`];
    const args = [`--endpoints=https://${this.endpoints[0]}`, ...tls, `--key=${this.client.key}`];
    const child = spawn(etcdctlPath(), [...args, ...words.split(" ")], {
      env: cleanEnv({ ETCDCTL_API: "3" }),
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        text += chunk;
      });
    }
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, text };
  }

  /** Root with password "pw" and all calls below, then auth on. @throws what etcdctl says. */
  async enableAuth(...calls: readonly string[]): Promise<void> {
    const users = ["user add root:pw", "user grant-role root root"];
    for (const words of [...users, ...calls, "auth enable"]) {
      const { code, text } = await this.etcdctl(words);
      if (code !== 0) throw new Error(`etcdctl ${words}: ${text}`);
    }
  }

  async kill(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()));
  }
}
