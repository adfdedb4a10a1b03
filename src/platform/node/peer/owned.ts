/**
 * Gives the callbacks of the peer port an owner. If a callback of a connection throws, that
 * connection ends and is made anew. If a timer's callback throws, `failed` gets the error. The
 * process goes on.
 */
import type net from "node:net";

export type CallbackFailed = (error: Error) => void;

/** A callback that never throws. */
export function owned<Told extends unknown[]>(
  fn: (...told: Told) => void,
  failed: CallbackFailed,
): (...told: Told) => void {
  return (...told) => {
    try {
      fn(...told);
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
    }
  };
}

/**
 * Returns the same socket. All its listeners run inside `emit`, so that is the one place to catch.
 */
export function ownedSocket<Socket extends net.Socket>(
  socket: Socket,
  failed: CallbackFailed,
): Socket {
  const emit = socket.emit.bind(socket) as (...event: unknown[]) => boolean;
  const owning = (...event: unknown[]): boolean => {
    try {
      return emit(...event);
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
      socket.destroy();
      return true;
    }
  };
  return Object.assign(socket, { emit: owning });
}
