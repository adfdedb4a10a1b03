/**
 * The `lockstep` command. Its first word names the subcommand, each of which has its own file. Only
 * that file is loaded, so that a short call of `ctl` starts fast.
 */

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
      return (await import("./audit/audit.js")).runAudit(rest);
    case "server":
      return (await import("./server.js")).runServer(rest);
    case "check": {
      const { checkIo, runCheck } = await import("./check.js");
      return runCheck(rest, checkIo);
    }
    case "ctl":
      return (await import("./ctl/ctl.js")).runCtl(rest);
    case "dev":
      return (await import("./dev.js")).runDev(rest);
    case "sim":
      return (await import("./sim.js")).runSim(rest);
    case "torture":
      return (await import("./torture/torture.js")).runTortureCommand(rest);
    case "utl":
      return (await import("./utl/utl.js")).runUtl(rest);
    case "version":
    case "--version":
      return (await import("./version.js")).printVersion();
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

// The reader of the output may have closed it (`lockstep sim | head`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(141);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
