/**
 * Takes V8's CPU profile of this process for --enable-pprof. Chrome's developer tools and
 * speedscope read it.
 */
import { Session } from "node:inspector/promises";

const samplingMicros = 1_000;
let isRunning = false;

/** Undefined: another profile is being taken. @throws the inspector's error */
export async function cpuProfile(seconds: number): Promise<string | undefined> {
  if (isRunning) return undefined;
  isRunning = true;
  const session = new Session();
  try {
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: samplingMicros });
    await session.post("Profiler.start");
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const { profile } = await session.post("Profiler.stop");
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
    isRunning = false;
  }
}
