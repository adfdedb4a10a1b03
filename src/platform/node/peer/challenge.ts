/**
 * Finds out which member has dialled this one. This member dials the peer URLs of the claimed
 * member and leaves a nonce there. Only that member's process can send the nonce on the connection
 * in question.
 *
 * An attacker who can listen at such an address, or read and change traffic, can still pretend to
 * be that member; only TLS helps against that.
 */
import type { PeerDialer } from "./dialer.js";
import { ChallengeAnswer, challengeMagic, encodeGreeting, type Greeting } from "./framing.js";

const timeoutMs = 1_500;
/** No member has that many addresses. */
const urlsMax = 8;

/**
 * Asks at all addresses at once. Calls `done` once: with true as soon as one says that the
 * connection is its own, with false when none does.
 */
export function challenge(
  dialer: PeerDialer,
  peerUrls: readonly string[],
  greeting: Greeting,
  done: (isTheirs: boolean) => void,
): void {
  const bytes = encodeGreeting(challengeMagic, greeting);
  const urls = peerUrls.slice(0, urlsMax);
  let open = urls.length;
  let isOver = false;
  const end = (isTheirs: boolean): void => {
    open--;
    if (isOver || (!isTheirs && open > 0)) return;
    isOver = true;
    done(isTheirs);
  };
  if (open === 0) done(false);
  for (const url of urls) askOne(dialer, url, bytes, end);
}

function askOne(
  dialer: PeerDialer,
  url: string,
  bytes: Buffer,
  done: (isTheirs: boolean) => void,
): void {
  const socket = dialer.dial(url, () => socket.write(bytes));
  const deadline = setTimeout(() => socket.destroy(), timeoutMs);
  let isTheirs = false;
  socket.on("data", (answer) => {
    isTheirs = answer[0] === ChallengeAnswer.ours;
    socket.destroy();
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    clearTimeout(deadline);
    done(isTheirs);
  });
}
