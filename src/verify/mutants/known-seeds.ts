/**
 * Seeds that caught a mutant once, so that they are tried first. A seed may stop to catch when the
 * simulator draws otherwise than before; then the range is searched as for any other mutant.
 */
export const knownSeeds: Readonly<Record<string, number>> = {};
