/**
 * LeaseTimeToLiveResponse with its keys as they are: very many keys are passed on without an object
 * for each. `keys` is the last field, so its bytes come last.
 */
import { LeaseTimeToLiveResponse } from "./gen/rpc.js";

/** Tag of the field `keys`. */
export const leaseKeysTag = 0x2a;
const numbersMax = 3;

export interface LeaseTimes {
  readonly ttl: number;
  readonly grantedTtl: number;
  /** The field `keys`, encoded. */
  readonly keys: Uint8Array;
}

export function encodeTimeToLive(
  { ttl, grantedTtl, keys }: LeaseTimes,
  more: Pick<LeaseTimeToLiveResponse, "header" | "ID"> = { header: undefined, ID: 0n },
): Uint8Array {
  const times = { ...more, TTL: BigInt(ttl), grantedTTL: BigInt(grantedTtl), keys: [] };
  return Buffer.concat([LeaseTimeToLiveResponse.encode(times).finish(), keys]);
}

/** Decodes an answer without a header. @throws if the bytes are none */
export function decodeTimeToLive(bytes: Uint8Array): LeaseTimes {
  let keysAt = 0;
  // Id and times are single numbers: a tag, then a varint whose last byte is below 128.
  for (let count = 0; count < numbersMax; count++) {
    if (keysAt >= bytes.length || bytes[keysAt] === leaseKeysTag) break;
    keysAt++;
    while (keysAt < bytes.length && (bytes[keysAt] as number) >= 0x80) keysAt++;
    keysAt++;
  }
  const { TTL, grantedTTL } = LeaseTimeToLiveResponse.decode(bytes.subarray(0, keysAt));
  return { ttl: Number(TTL), grantedTtl: Number(grantedTTL), keys: bytes.subarray(keysAt) };
}
