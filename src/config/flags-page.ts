/** Makes the page docs/flags.md from the table of flags. */
import type { Flag } from "./flag.js";
import { experimentalNames, flagGroups } from "./flag-table.js";

const head = `# Flags

Every flag of etcd 3.4 to 3.7, with etcd's default, and what \`lockstep server\` makes of it. \`node tools/flags-page.mjs\` writes
this page after a build.

- **done**: it works as in etcd.
- **accepted**: every value is taken and changes nothing, for the reason in the row; the log says so at the start.
- **refused**: only the default is taken. Another value is an error, because what it asks for would not happen.

Each flag is also a variable (\`ETCD_DATA_DIR\`) and a key of the file of \`--config-file\`; a flag beats a variable, and with a file
neither counts. A key without a value is as if absent. An unknown flag or key is an error that names the nearest one; an
unknown variable is a warning. A value that cannot be used is an error that names where it came from. etcd 3.4 to 3.6 call
some flags \`--experimental-NAME\` (marked *): both names work. The groups \`client-transport-security\`,
\`peer-transport-security\`, \`socket-options\` and \`discovery-config\` of etcd's file are known, too.
`;

export function flagsPage(): string {
  const groups = flagGroups.map(({ title, flags }) => {
    const rows = flags.map(rowOf).join("\n");
    return `\n## ${title}\n\n| flag | default | state | what |\n|---|---|---|---|\n${rows}\n`;
  });
  return `${head}${groups.join("")}`;
}

function rowOf({ name, initial, help, verdict }: Flag): string {
  const star = experimentalNames.has(name) ? "*" : "";
  const start = initial === "" ? "" : `\`${initial}\``;
  return `| \`--${name}\`${star} | ${start} | ${verdict ?? "done"} | ${help.replaceAll("|", "\\|")} |`;
}
