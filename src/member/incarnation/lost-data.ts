/** The error of a member that came back under its old id with another log. */
import { StartError } from "../../base/errors.js";

/**
 * The member has forgotten its votes and what it acknowledged, so it must not go on under its id.
 * The text says what to do; more is in docs/operations/lost-data-directory.md.
 */
export class LostDataError extends StartError {
  constructor(memberId: bigint, name: string) {
    const id = memberId.toString(16);
    super(
      `member ${id} has already been bootstrapped and lost its data: the cluster knows it with another log than that of this data directory, so it has forgotten what it voted for and acknowledged, and may not take part under its id. Put the old data directory back if it still exists. Otherwise, with more than half of the members up: lockstep ctl member remove ${id}, then lockstep ctl member add ${name} --peer-urls=..., and start it with an empty data directory and --initial-cluster-state=existing. While fewer are up, start the others first (docs/operations/lost-data-directory.md); if they are lost for good, start one that has its data with --force-new-cluster (docs/operations/lost-majority.md)`,
    );
  }
}
