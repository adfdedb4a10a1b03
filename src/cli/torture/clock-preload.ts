/**
 * Loaded into a member before its own code. It sets the member's wall clock ahead of the machine's
 * by as many milliseconds as the file LOCKSTEP_TORTURE_CLOCK says. Monotonic clocks do not change,
 * as when an operator or NTP steps the clock of a machine.
 */
import { readFileSync } from "node:fs";

const file = process.env.LOCKSTEP_TORTURE_CLOCK;
const pollMs = 100;

if (file !== undefined) {
  const Real = Date;
  const realNow = Date.now.bind(Date);
  let offsetMs = 0;
  const look = (): void => {
    try {
      offsetMs = Number(readFileSync(file, "utf8")) || 0;
    } catch {
      offsetMs = 0;
    }
  };
  look();
  setInterval(look, pollMs).unref();
  const now = (): number => realNow() + offsetMs;
  globalThis.Date = new Proxy(Real, {
    construct: (target, args, wanted) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, wanted),
    apply: () => new Real(now()).toString(),
    get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
  });
}
