/** The only source of time. `platform/node` reads the OS; the simulator moves it by hand. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start; fractions allowed. */
  now(): number;
  /** Wall-clock milliseconds since the Unix epoch: for ids and logs, never for decisions. */
  unixMs(): number;
  /** Calls `fn` once, no earlier than `delayMs` from now, unless cancelled before. */
  after(delayMs: number, fn: () => void): Timer;
  /** Calls `fn` once, after the events that are already due: at the end of a turn. */
  defer(fn: () => void): void;
}

/** A clock that can also run work between two events, for the output of connections. */
export interface EventClock extends Clock {
  /** Calls `fn` once, when the callback that runs now has returned: before any other event. */
  soon(fn: () => void): void;
}

export interface Timer {
  /** Cancels the timer: it never fires after that. A second call does nothing. */
  cancel(): void;
}

/** As `ownedClock`, for an EventClock. */
export function ownedEventClock(
  clock: EventClock,
  own: (fn: () => void) => () => void,
): EventClock {
  return { ...ownedClock(clock, own), soon: (fn) => clock.soon(own(fn)) };
}

/** Returns a clock whose callbacks run as `own` wraps them: with an owner for what they throw. */
export function ownedClock(clock: Clock, own: (fn: () => void) => () => void): Clock {
  return {
    now: () => clock.now(),
    unixMs: () => clock.unixMs(),
    after: (delayMs, fn) => clock.after(delayMs, own(fn)),
    defer: (fn) => clock.defer(own(fn)),
  };
}
