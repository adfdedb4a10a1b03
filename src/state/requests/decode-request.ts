/** Decodes the requests in committed entries. */
import { InvariantViolation } from "../../base/invariant.js";

/**
 * @throws InvariantViolation if the bytes of a committed entry cannot be decoded: it must not be
 * skipped
 */
export function decode<T>(message: { decode(bytes: Uint8Array): T }, bytes: Uint8Array): T {
  try {
    return message.decode(bytes);
  } catch (error) {
    throw new InvariantViolation("a committed entry cannot be decoded", { error });
  }
}
