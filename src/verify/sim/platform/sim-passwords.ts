/**
 * Passwords for the simulator: the hash is the password itself behind a mark, and work takes the
 * virtual time that bcrypt takes.
 */
import type { Clock } from "../../../platform/clock.js";
import type { Passwords } from "../../../platform/credentials.js";

const mark = "sim$";
const workMs = 60;

export function createSimPasswords(clock: Clock): Passwords {
  let isClosed = false;
  const later = (fn: () => void): void => {
    clock.after(workMs, () => {
      if (!isClosed) fn();
    });
  };
  return {
    hash: (password, _cost, done) => later(() => done(mark + password)),
    fits: (password, hash, done) => later(() => done(hash === mark + password)),
    close: () => {
      isClosed = true;
    },
  };
}
