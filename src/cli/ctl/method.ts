/** An RPC as `lockstep ctl` calls it. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}
export interface ClientMethod<Q, R> {
  readonly path: string;
  readonly request: Codec<Q>;
  readonly response: Codec<R>;
}
