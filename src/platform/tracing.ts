/** Makes spans of calls for a collector of traces. A member has it only if its flags ask for it. */
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

/** The span of one call. */
export interface CallSpan {
  /** Ends the span now. `code`: gRPC's, 0 for OK. Only the first end counts. */
  end(code: number, message: string): void;
}
