/**
 * How often a property runs: less in `npm test`, which must stay below ten minutes, and more with
 * LOCKSTEP_CAMPAIGNS=1, as in CI.
 */
export function runs(usual: number, inCampaign: number): number {
  return process.env.LOCKSTEP_CAMPAIGNS === "1" ? inCampaign : usual;
}
