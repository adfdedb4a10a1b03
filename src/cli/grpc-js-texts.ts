/**
 * The texts by which grpc-js tells its own failures apart. Its errors carry a gRPC code and a text,
 * and the code UNAVAILABLE stands for a request that was never sent as well as for a lost answer. So
 * the text is the only data. This is the only file that looks at such texts.
 */

/** grpc-js had no connection, so it never sent the request. */
export function isUnsentText(details: string): boolean {
  return /^No connection established|^Name resolution failed/.test(details);
}

/** The text says nothing about why there is no connection. */
export function isBareText(details: string): boolean {
  return details === "" || /^Deadline exceeded|^No connection established$/.test(details);
}
