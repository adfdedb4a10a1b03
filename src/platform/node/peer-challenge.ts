/**
 * How a member finds out who has dialled it: it dials the peer URLs of the member that the other side
 * says it is, and leaves a nonce there that only that member's process can bring to the connection in
 * question. Whoever can listen at such an address, or read and change what passes on the way, can
 * still pretend to be that member: only TLS helps there.
 */
import net from "node:net";
import { addressOf } from "./peer-address.js";
import { ChallengeAnswer, challengeMagic, encodeGreeting, type Greeting } from "./peer-framing.js";

const timeoutMs = 1_500;
/** More addresses than any member has. */
const urlsMax = 8;

/**
 * Asks at all addresses at once. `done` is called once: true as soon as one says that the connection
 * is its own, false when none did.
 */
export function challenge(
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
  for (const url of urls) askOne(url, bytes, end);
}

function askOne(url: string, bytes: Buffer, done: (isTheirs: boolean) => void): void {
  const socket = net.connect({ ...addressOf(url), noDelay: true });
  const deadline = setTimeout(() => socket.destroy(), timeoutMs);
  let isTheirs = false;
  socket.on("connect", () => socket.write(bytes));
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
