/**
 * How often a property runs: `usual` times in `npm test`, which must stay below ten minutes, and
 * `inCampaign` times with LOCKSTEP_CAMPAIGNS=1, as in CI.
 */
export function runs(usual: number, inCampaign: number): number {
  return process.env.LOCKSTEP_CAMPAIGNS === "1" ? inCampaign : usual;
}
