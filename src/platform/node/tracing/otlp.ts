/**
 * Sends spans to a collector by OTLP over gRPC, with OpenTelemetry's packages. They are optional
 * dependencies and are loaded only here, when --enable-distributed-tracing asks for them
 * (docs/decisions/0021-tracing.md). Nothing global of OpenTelemetry is set: an embedding program may
 * use it, too.
 */
import type { Context, Tracer } from "@opentelemetry/api";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import { StartError } from "../../../base/errors.js";
import { Repeats } from "../../../base/repeats.js";
import type { Platform } from "../../platform.js";
import type { CallSpan, Tracing } from "../../tracing.js";
import { nodeClock } from "../clock.js";

export interface OtlpSettings {
  /** The address of the collector: "host:port". The connection has no TLS, as in etcd. */
  readonly address: string;
  readonly serviceName: string;
  /** "": the spans name no instance. */
  readonly instanceId: string;
  /**
   * How many of a million calls that bring no span of their caller are traced. A call that brings
   * one is traced if its caller is.
   */
  readonly samplingPerMillion: number;
}

const million = 1_000_000;
/** Milliseconds between two log lines about a collector that cannot be reached. */
const tellEveryMs = 60_000;

/** gRPC's codes that are a server's fault: Unknown, DeadlineExceeded, Unimplemented, Internal, Unavailable, DataLoss. */
const serverFaults: ReadonlySet<number> = new Set([2, 4, 12, 13, 14, 15]);

/**
 * Resolves before a connection to the collector exists. Lost spans are told in `log`, once a minute.
 *
 * @throws StartError if the packages are not installed
 */
export async function openOtlp(settings: OtlpSettings, log: Platform["log"]): Promise<Tracing> {
  const packages = await loadPackages();
  const { sdk, resources, exporter } = packages;
  const { serviceName, instanceId, samplingPerMillion } = settings;
  const attributes = {
    "service.name": serviceName,
    ...(instanceId === "" ? {} : { "service.instance.id": instanceId }),
  };
  const otlp = new exporter.OTLPTraceExporter({ url: `http://${settings.address}` });
  const root =
    samplingPerMillion === 0
      ? new sdk.AlwaysOffSampler()
      : new sdk.TraceIdRatioBasedSampler(samplingPerMillion / million);
  const provider = new sdk.BasicTracerProvider({
    resource: resources.resourceFromAttributes(attributes),
    sampler: new sdk.ParentBasedSampler({ root }),
    spanProcessors: [new sdk.BatchSpanProcessor(telling(otlp, settings.address, log))],
  });
  return new OtlpTracing(packages, provider.getTracer("lockstep"), () => provider.shutdown());
}

async function loadPackages() {
  try {
    const [api, core, exporter, resources, sdk] = await Promise.all([
      import("@opentelemetry/api"),
      import("@opentelemetry/core"),
      import("@opentelemetry/exporter-trace-otlp-grpc"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/sdk-trace-base"),
    ]);
    return { api, core, exporter, resources, sdk };
  } catch (error) {
    throw new StartError(
      `--enable-distributed-tracing needs OpenTelemetry's packages, which are optional: install lockstep without --omit=optional, or leave the flag off (${(error as Error).message})`,
    );
  }
}

type Packages = Awaited<ReturnType<typeof loadPackages>>;

/** The same exporter; the log says when it fails. */
function telling(exporter: SpanExporter, address: string, log: Platform["log"]): SpanExporter {
  const repeats = new Repeats(tellEveryMs);
  const tell = (error: Error | undefined): void => {
    const before = repeats.tell("", nodeClock.now());
    if (before === undefined) return;
    const fields = { address, error: error?.message ?? "no reason given", "failed-before": before };
    log("warn", "cannot send spans to the collector; they are lost", fields);
  };
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.code !== 0) tell(result.error);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}

class OtlpTracing implements Tracing {
  readonly #packages: Packages;
  readonly #tracer: Tracer;
  readonly #shutdown: () => Promise<void>;
  readonly #propagator: InstanceType<Packages["core"]["W3CTraceContextPropagator"]>;

  constructor(packages: Packages, tracer: Tracer, shutdown: () => Promise<void>) {
    this.#packages = packages;
    this.#tracer = tracer;
    this.#shutdown = shutdown;
    this.#propagator = new packages.core.W3CTraceContextPropagator();
  }

  begin(path: string, metadata: (name: string) => string | undefined): CallSpan {
    const { SpanKind, SpanStatusCode } = this.#packages.api;
    const name = path.slice(1);
    const [service = "", method = ""] = name.split("/");
    const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method };
    const options = { kind: SpanKind.SERVER, attributes };
    const span = this.#tracer.startSpan(name, options, this.#callerOf(metadata));
    return {
      end: (code, message) => {
        if (!span.isRecording()) return;
        span.setAttribute("rpc.grpc.status_code", code);
        if (serverFaults.has(code)) span.setStatus({ code: SpanStatusCode.ERROR, message });
        span.end();
      },
    };
  }

  async close(graceMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    // `telling` has logged the error of a collector that takes nothing.
    await Promise.race([this.#shutdown().catch(() => {}), late]);
    clearTimeout(timer);
  }

  #callerOf(metadata: (name: string) => string | undefined): Context {
    const { ROOT_CONTEXT } = this.#packages.api;
    return this.#propagator.extract(ROOT_CONTEXT, metadata, {
      get: (carrier, key) => carrier(key),
      keys: () => [],
    });
  }
}
