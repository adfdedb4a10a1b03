/**
 * Assertions that stay on in production. A violated invariant is a bug of ours: the member stops
 * rather than continue with a state that nobody has reasoned about.
 */

/**
 * Our own bug. The owner of the work (a request, a job, a callback of the platform) gives it to the
 * member, which stops with it; it is never taken for anything else.
 */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
  readonly details: Readonly<Record<string, unknown>>;

  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    const shown = Object.entries(details).map(([key, value]) => `${key}=${String(value)}`);
    super(shown.length === 0 ? message : `${message} (${shown.join(", ")})`);
    this.details = details;
  }
}

/** Costs one comparison when it holds; `details` runs only when it does not. */
export function invariant(
  holds: boolean,
  message: string,
  details: () => Readonly<Record<string, unknown>> = () => ({}),
): asserts holds {
  if (!holds) throw new InvariantViolation(message, details());
}

/** Marks a branch that the type checker proves dead; a new union member breaks the build here. */
export function unreachable(value: never): never {
  throw new InvariantViolation("unreachable value", { value });
}
