/** The `lockstep` command: its first word names the subcommand, each of which has its own file. */
import { runAudit } from "./audit/audit.js";
import { checkIo, runCheck } from "./check.js";
import { runCtl } from "./ctl/ctl.js";
import { runDev } from "./dev.js";
import { runServer } from "./server.js";
import { runSim } from "./sim.js";
import { runTortureCommand } from "./torture/torture.js";
import { runUtl } from "./utl/utl.js";
import { printVersion } from "./version.js";

const usage = `Usage: lockstep <command> [flags]

  audit    watch any etcd v3 cluster: do its members hold the same data? (see lockstep audit --help)
  check    is a history of clients linearizable? (see lockstep check --help)
  ctl      talk to a cluster (etcdctl's commands; see lockstep ctl --help)
  dev      three members on this machine, for development (--base-port N: on ports from N on)
  server   run one member (etcd's flags; see lockstep server --help)
  sim      the simulator (see lockstep sim --help)
  torture  does a real cluster, ours or etcd's, keep its promises under faults? (--help)
  utl      backups and data directories of etcd (see lockstep utl --help)
  version  print the version
`;

async function main(words: readonly string[]): Promise<number> {
  const [command, ...rest] = words;
  switch (command) {
    case "audit":
      return runAudit(rest);
    case "server":
      return runServer(rest);
    case "check":
      return runCheck(rest, checkIo);
    case "ctl":
      return runCtl(rest);
    case "dev":
      return runDev(rest);
    case "sim":
      return runSim(rest);
    case "torture":
      return runTortureCommand(rest);
    case "utl":
      return runUtl(rest);
    case "version":
    case "--version":
      return printVersion();
    case "help":
    case "--help":
    case "-h":
      process.stdout.write(usage);
      return 0;
    default:
      process.stderr.write(
        command === undefined ? usage : `unknown command "${command}"\n\n${usage}`,
      );
      return 2;
  }
}

// The reader of our output may have closed it (`lockstep sim | head`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(141);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
