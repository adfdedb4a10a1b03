/**
 * A vitest reporter that names the test files that have run for more than a minute, once a minute.
 * A file in an endless loop cannot be ended by vitest and is in no other output: this names it.
 */
import type { Reporter, TestModule } from "vitest/node";

const everyMs = 60_000;

export default class SlowFilesReporter implements Reporter {
  readonly #startedMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  onTestRunStart(): void {
    this.#timer = setInterval(() => this.#tell(), everyMs);
    this.#timer.unref();
  }
  onTestModuleQueued(module: TestModule): void {
    this.#startedMs.set(module.relativeModuleId, Date.now());
  }
  onTestModuleEnd(module: TestModule): void {
    this.#startedMs.delete(module.relativeModuleId);
  }
  onTestRunEnd(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    for (const [file, startedMs] of this.#startedMs) {
      const ranMs = Date.now() - startedMs;
      if (ranMs >= everyMs)
        console.log(`still running after ${Math.round(ranMs / 1000)} s: ${file}`);
    }
  }
}
