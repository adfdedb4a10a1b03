/** The flags of distributed tracing. */
import type { Values } from "./values.js";

export interface TracingConfig {
  /** Of the collector: "host:port". */
  readonly address: string;
  readonly serviceName: string;
  /** "": none. */
  readonly instanceId: string;
  /** Traced calls of a million, 0 to 1,000,000. */
  readonly samplingPerMillion: number;
}

const million = 1_000_000;

/** Undefined: no traces. @throws UsageError */
export function tracingOf(values: Values): TracingConfig | undefined {
  const rateFlag = "distributed-tracing-sampling-rate";
  const samplingPerMillion = values.integer(rateFlag);
  if (samplingPerMillion < 0 || samplingPerMillion > million) {
    throw values.invalid(rateFlag, `it is a number of calls in ${million}: 0 to ${million}`);
  }
  if (!values.boolean("enable-distributed-tracing")) return undefined;
  const addressFlag = "distributed-tracing-address";
  const address = values.text(addressFlag);
  const port = /^(?:\[[\da-fA-F:.]+\]|[^\s:/@[\]]+):(\d+)$/.exec(address)?.[1];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw values.invalid(addressFlag, "it is host:port, without a scheme, like localhost:4317");
  }
  return {
    address,
    serviceName: values.text("distributed-tracing-service-name"),
    instanceId: values.text("distributed-tracing-instance-id"),
    samplingPerMillion,
  };
}
