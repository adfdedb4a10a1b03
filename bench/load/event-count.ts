/** How many events a WatchResponse has (field 11, repeated), without decoding it. */

const eventsTag = 0x5a;

export function countEvents(message: Uint8Array): number {
  let events = 0;
  let at = 0;
  const varint = (): number => {
    let result = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] as number;
      result += (byte & 127) * scale;
      if (byte < 128) return result;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if (tag === eventsTag) events++;
    const number = varint();
    if ((tag & 7) === 2) at += number;
  }
  return events;
}
