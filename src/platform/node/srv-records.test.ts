/** Finds the founding members, and this one among them, in DNS records. */
import type { SrvRecord } from "node:dns";
import { expect, test } from "vitest";
import { clusterFromSrv } from "./srv-records.js";

const record = (name: string, port: number): SrvRecord => ({ name, port, priority: 0, weight: 0 });
const zone: Readonly<Record<string, SrvRecord[]>> = {
  "_etcd-server-ssl._tcp.example.com": [record("a.invalid.", 2380), record("localhost.", 2381)],
  "_etcd-server-prod._tcp.example.com": [record("localhost", 2380)],
};
const resolve = async (name: string): Promise<SrvRecord[]> => {
  const records = zone[name];
  if (records === undefined) throw new Error("queryTxt ENOTFOUND");
  return records;
};
const question = { domain: "example.com", suffix: "", name: "me" };

test("records for TLS are https; this member is found by its address, others get numbers", async () => {
  const advertised = ["https://127.0.0.1:2381"];
  expect(await clusterFromSrv({ ...question, advertised }, resolve)).toBe(
    "0=https://a.invalid:2380,me=https://localhost:2381",
  );
});

test("a name is added to the service's; without TLS the URLs are http", async () => {
  const asked = { ...question, suffix: "prod", advertised: ["http://localhost:2380"] };
  expect(await clusterFromSrv(asked, resolve)).toBe("me=http://localhost:2380");
});

test("no record, and none that is this member, are errors that say so", async () => {
  const elsewhere = { ...question, domain: "example.org", advertised: ["http://h:1"] };
  await expect(clusterFromSrv(elsewhere, resolve)).rejects.toThrow(
    /no SRV record names a member \(_etcd-server-ssl\._tcp\.example\.org: .*ENOTFOUND/,
  );
  const other = { ...question, advertised: ["https://127.0.0.1:9"] };
  await expect(clusterFromSrv(other, resolve)).rejects.toThrow(
    /none of .* is one of --initial-advertise-peer-urls=https:\/\/127\.0\.0\.1:9/,
  );
});
