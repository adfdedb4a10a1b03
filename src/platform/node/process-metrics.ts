/** The metrics that Prometheus expects from every process. */
import fs from "node:fs";

export interface ProcessSample {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly value: number;
}

export function processMetrics(): readonly ProcessSample[] {
  const cpu = process.cpuUsage();
  const startedSeconds = Date.now() / 1000 - process.uptime();
  return [
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "User and system CPU time in seconds.",
      value: (cpu.user + cpu.system) / 1e6,
    },
    {
      name: "process_resident_memory_bytes",
      type: "gauge",
      help: "Resident memory in bytes.",
      value: process.memoryUsage.rss(),
    },
    {
      name: "process_start_time_seconds",
      type: "gauge",
      help: "Start time since the Unix epoch in seconds.",
      value: startedSeconds,
    },
    {
      name: "process_open_fds",
      type: "gauge",
      help: "Open file descriptors.",
      value: openFiles(),
    },
  ];
}

function openFiles(): number {
  try {
    return fs.readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}
