/** The connections of one client of a run, and the record of the requests that it sends there. */
import type { OperationOutcome, Request } from "../../verify/history/types.js";
import type { Connection } from "../ports.js";
import type { ActorParts } from "./actor.js";

/** A member by name, and this client's connection to it. */
export type ConnectedMember = readonly [member: string, connection: Connection];

export class RecordedCalls {
  readonly #parts: ActorParts;
  readonly #connected: readonly ConnectedMember[];

  /** Connects to these members, of which there is at least one; to all of the stage if left out. */
  constructor(parts: ActorParts, members = parts.stage.members) {
    this.#parts = parts;
    this.#connected = members.map((member) => [member, parts.stage.connect(member)] as const);
  }

  /** One of the members, drawn from the client's own random numbers. */
  any(): ConnectedMember {
    return this.#connected[this.#parts.rng.int(this.#connected.length)] as ConnectedMember;
  }

  /** The connection to that member. Undefined: this client does not ask it. */
  to(member: string): Connection | undefined {
    return this.#connected.find(([name]) => name === member)?.[1];
  }

  /**
   * Runs `call`, and records the request with the times around it. `outcomeOf` reads the result
   * after the second time was taken, so that decoding does not count. Rejects only if one of the
   * two throws; nothing is recorded then.
   */
  async record<T>(
    request: Request,
    member: string,
    call: () => Promise<T>,
    outcomeOf: (result: T) => OperationOutcome,
  ): Promise<OperationOutcome> {
    const { recorder, number } = this.#parts;
    const id = recorder.nextId();
    const callUs = recorder.nowUs();
    const result = await call();
    const returnUs = recorder.nowUs();
    const outcome = outcomeOf(result);
    recorder.operation({ id, client: number, member, callUs, returnUs, request, outcome });
    return outcome;
  }

  close(): void {
    for (const [, connection] of this.#connected) connection.close();
  }
}
