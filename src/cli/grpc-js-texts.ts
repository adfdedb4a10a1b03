/**
 * The texts by which grpc-js tells its own failures apart. Its errors carry a gRPC code and a text,
 * and the code UNAVAILABLE stands for a request that was never sent as well as for a lost answer.
 * So only the text tells them apart. No other file looks at such texts.
 */

/** True if grpc-js had no connection, and so never sent the request. */
export function isUnsentText(details: string): boolean {
  return /^No connection established|^Name resolution failed/.test(details);
}

/** True if the text does not say why there is no connection. */
export function isBareText(details: string): boolean {
  return details === "" || /^Deadline exceeded|^No connection established$/.test(details);
}

/** For a message that grpc-js refuses because of its size: which flag of `ctl` allows more. */
export function sizeHintOf(details: string): string {
  if (/^Attempted to send message with a size larger/.test(details)) {
    return " (--max-request-bytes allows more)";
  }
  return /^Received message larger than max/.test(details) ? " (--max-recv-bytes allows more)" : "";
}
