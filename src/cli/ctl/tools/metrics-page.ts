/** Reads the page /metrics of an endpoint, with the TLS files that its calls use. */
import http from "node:http";
import https from "node:https";
import type { TlsFiles } from "../../endpoint-tls.js";
import { CtlError } from "../flags.js";

const answerMs = 10_000;

/** @throws CtlError when there is no answer */
export function metricsOf(endpoint: string, tls: TlsFiles | undefined): Promise<string> {
  const socketPath = /^unixs?:(?:\/\/)?(.+)$/.exec(endpoint)?.[1];
  const isBare = !/^\w+:/.test(endpoint) || /^[\w.-]+:\d+$/.test(endpoint);
  const isSecure = /^(https|unixs):/.test(endpoint) || (isBare && tls !== undefined);
  const host = endpoint.replace(/^https?:\/\//, "").replace(/\/$/, "");
  const authority = socketPath === undefined ? host : "localhost";
  const url = `${isSecure ? "https" : "http"}://${authority}/metrics`;
  const options = { ...filesOf(tls), ...(socketPath && { socketPath }), timeout: answerMs };
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new CtlError(`cannot read ${url}: ${error.message}`));
    const request = (isSecure ? https : http).get(url, options, (response) => {
      let page = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        page += part;
      });
      response.on("error", fail);
      response.on("end", () => resolve(page));
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", fail);
  });
}

function filesOf(tls: TlsFiles | undefined): https.RequestOptions {
  if (tls === undefined) return {};
  const { ca, cert, key, isUnverified } = tls;
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    rejectUnauthorized: !isUnverified,
  };
}
