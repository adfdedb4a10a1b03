/** The only source of randomness. A seeded one gives the same sequence on every platform. */
export interface Rng {
  /** Uniform integer in [0, below). `below` is 1..2^32. */
  int(below: number): number;
  /** An independent stream, so that one component's draws do not shift another's. */
  fork(label: string): Rng;
}
