/**
 * Sums a Node CPU profile (node --cpu-prof) by part of the program:
 *   node tools/profile-shares.mjs FOLDER_OR_FILE
 * docs/performance.md tells how to make one.
 */
import fs from "node:fs";
import path from "node:path";

const given = process.argv[2] ?? ".";
const files = fs.statSync(given).isDirectory()
  ? fs.readdirSync(given).map((name) => path.join(given, name))
  : [given];
const profiles = files.filter((file) => file.endsWith(".cpuprofile"));
const largest = profiles.sort((a, b) => fs.statSync(b).size - fs.statSync(a).size)[0];
if (largest === undefined) throw new Error(`${given}: no .cpuprofile here`);

const profile = JSON.parse(fs.readFileSync(largest, "utf8"));
const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
const shares = new Map();
for (const [at, id] of profile.samples.entries()) {
  const part = partOf(nodes.get(id).callFrame);
  shares.set(part, (shares.get(part) ?? 0) + profile.timeDeltas[at]);
}
const idle = shares.get("idle") ?? 0;
shares.delete("idle");
const busy = [...shares.values()].reduce((sum, share) => sum + share, 0);
console.log(`busy ${Math.round(busy / 1000)} ms, idle ${Math.round(idle / 1000)} ms`);
for (const [part, share] of [...shares].sort((a, b) => b[1] - a[1])) {
  console.log(`${((share / busy) * 100).toFixed(1).padStart(5)} %  ${part}`);
}

function partOf({ functionName, url }) {
  if (functionName === "(idle)") return "idle";
  if (functionName === "(garbage collector)") return "garbage collector";
  if (functionName === "(program)") return "native code";
  const folder = /dist\/(\w+)/.exec(url)?.[1];
  if (folder !== undefined && !url.includes("node_modules")) return `ours: ${folder}`;
  if (url.includes("@grpc/grpc-js")) return "transport: grpc-js";
  if (url.startsWith("node:internal/crypto")) return "hashes";
  if (url.startsWith("node:")) return "transport: node's streams, sockets, timers";
  if (url.includes("node_modules/lmdb")) return "ours: lmdb";
  return "native functions";
}
