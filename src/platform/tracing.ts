/** Spans of calls for a collector of traces. Absent where nobody asked for them. */
export interface Tracing {
  /**
   * Begins the span of a call. W3C's `traceparent` and `tracestate` among its metadata name the
   * caller's span.
   *
   * @param path of the RPC, as on the wire: "/etcdserverpb.KV/Put"
   */
  begin(path: string, metadata: (name: string) => string | undefined): CallSpan;
  /** Sends what is left, for at most `graceMs` milliseconds. Never rejects. */
  close(graceMs: number): Promise<void>;
}

export interface CallSpan {
  /** `code`: gRPC's, 0 for OK. Only the first end counts. */
  end(code: number, message: string): void;
}
