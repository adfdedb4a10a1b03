/**
 * The peer broke a rule whose consequence is the end of the connection: GOAWAY with `code`, then
 * close (RFC 9113, section 5.4.1). Thrown by the parts of a session, caught by the session.
 */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** An ErrorCode. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
