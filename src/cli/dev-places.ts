/**
 * Chooses where the members of `lockstep dev` listen. The first start chooses the ports and keeps
 * them in `.lockstep/dev.json`, because the members' peer addresses are part of their data: with
 * other ports the data would be useless. While there is data, it never chooses other ports and
 * never deletes data.
 */
import fs from "node:fs";
import path from "node:path";
import { freePorts, isFree } from "../platform/node/free-ports.js";

export const host = "127.0.0.1";
export const folder = ".lockstep";
const portsFile = path.join(folder, "dev.json");

export interface Place {
  readonly name: string;
  readonly client: number;
  readonly peer: number;
}

/** etcd's ports, and those that its examples of three members on one machine use. */
const usualPlaces: readonly Place[] = [
  { name: "m1", client: 2379, peer: 2380 },
  { name: "m2", client: 22379, peer: 22380 },
  { name: "m3", client: 32379, peer: 32380 },
];
const portMax = 65_535;
/** The highest base port: three members take six ports from it on. */
export const basePortMax = portMax - 5;

/** Takes six ports in a row: client and peer of m1, of m2, of m3. */
export function placesFrom(basePort: number): readonly Place[] {
  return usualPlaces.map(({ name }, at) => ({
    name,
    client: basePort + 2 * at,
    peer: basePort + 2 * at + 1,
  }));
}

/** The kept ports, else the wanted ones, else free ones. A text: why there are none. */
export async function choosePlaces(wanted = usualPlaces): Promise<readonly Place[] | string> {
  const kept = readPlaces();
  if (kept === undefined) return takePlaces(wanted);
  if (typeof kept === "string") return kept;
  for (const place of kept) {
    for (const port of [place.client, place.peer]) {
      if (await isFree(host, port)) continue;
      return `Port ${port} of member ${place.name} is taken, and the data in ${folder}/ belongs to it.\nEnd the other program, or remove ${folder}/ to begin anew on other ports.\n`;
    }
  }
  if (wanted !== usualPlaces && JSON.stringify(kept) !== JSON.stringify(wanted)) {
    process.stdout.write(`The ports of the first start are kept: see ${portsFile}\n`);
  }
  return kept;
}

/**
 * The kept ports. Undefined: this is the first start. A text: there is data, but the file does not
 * say where its members listen.
 */
function readPlaces(): readonly Place[] | string | undefined {
  let text: string;
  try {
    text = fs.readFileSync(portsFile, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      return unusable((error as Error).message);
    const hasData = usualPlaces.some(({ name }) => fs.existsSync(path.join(folder, name)));
    return hasData ? unusable("it is missing") : undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return unusable((error as Error).message);
  }
  return arePlaces(value) ? value : unusable("it is no list of three members with two ports each");
}

function arePlaces(value: unknown): value is readonly Place[] {
  if (!Array.isArray(value) || value.length !== usualPlaces.length) return false;
  const ports = new Set<number>();
  for (const [at, place] of (value as readonly Partial<Place>[]).entries()) {
    if (place?.name !== usualPlaces[at]?.name) return false;
    for (const port of [place?.client, place?.peer]) {
      if (!isPort(port) || ports.has(port)) return false;
      ports.add(port);
    }
  }
  return true;
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= portMax;
}

function unusable(why: string): string {
  return [
    `${portsFile} cannot be used: ${why}`,
    `It holds the ports of the three members, to which the data in ${folder}/ belongs. Nothing was changed.`,
    `Write it anew, in this form: ${JSON.stringify(usualPlaces)}`,
    `The ports of each member stand in its log, ${folder}/NAME.log: in the last line with "Running: ",`,
    "behind --listen-client-urls and --listen-peer-urls.",
    `Or move ${folder}/ away to begin anew without the data.`,
    "",
  ].join("\n");
}

async function takePlaces(wanted: readonly Place[]): Promise<readonly Place[]> {
  const places: Place[] = [];
  for (const { name, ...usual } of wanted) {
    const except = [...places, ...wanted].flatMap(({ client, peer }) => [client, peer]);
    const [other, another] = (await freePorts(host, 2, except)) as [number, number];
    const client = (await isFree(host, usual.client)) ? usual.client : other;
    const peer = (await isFree(host, usual.peer)) ? usual.peer : another;
    if (client !== usual.client || peer !== usual.peer) {
      const taken = `${usual.client}/${usual.peer}`;
      process.stdout.write(`${name}: ports ${taken} are taken, using ${client}/${peer}\n`);
    }
    places.push({ name, client, peer });
  }
  // The write replaces the whole file or nothing, even if the launcher is killed.
  fs.writeFileSync(`${portsFile}.new`, `${JSON.stringify(places, null, 2)}\n`);
  fs.renameSync(`${portsFile}.new`, portsFile);
  return places;
}
