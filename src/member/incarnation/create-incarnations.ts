/** Which log each member has, wired to a member's engine. */
import type { Platform } from "../../platform/platform.js";
import type { RaftEvent } from "../../raft/types.js";
import type { MemberConfig } from "../config.js";
import type { Engine } from "../engine.js";
import type { Booted } from "../startup/boot.js";
import { Incarnations } from "./incarnations.js";

/** @throws LostDataError */
export function createIncarnations(
  engine: Engine,
  world: {
    readonly platform: Platform;
    readonly config: MemberConfig;
    readonly booted: Booted;
    post(event: RaftEvent): void;
  },
): Incarnations {
  const { platform, config, booted } = world;
  return new Incarnations({
    ...{ selfId: engine.id, name: config.name, known: booted.known },
    ...{ own: booted.incarnation, isJoiner: booted.isJoiner },
    cluster: () => engine.machine().cluster,
    voters: () => engine.machine().confState.voters,
    post: (event) => world.post(event),
    isStopped: () => engine.isStopping(),
    failed: (error) => engine.fail(error),
    log: (level, message, fields) => platform.log(level, message, fields),
  });
}
