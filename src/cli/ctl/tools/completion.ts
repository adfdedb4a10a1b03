/**
 * Prints scripts with which shells complete the commands and global flags of `lockstep ctl`, and
 * the version.
 */
import { serverVersion } from "../../../member/config.js";
import { type Command, print } from "../context.js";
import { CtlError, Exit } from "../flags.js";

const shells = ["bash", "zsh", "fish"] as const;

/** `names` gives all commands. It is called when a script is asked for. */
export function completionCommands(names: () => readonly string[]): Record<string, Command> {
  return {
    completion: {
      about: `${shells.join("|")}: prints a script that completes commands`,
      flags: {},
      run: async ({ args }) => {
        const [shell] = args;
        const script = scripts[shell as (typeof shells)[number]];
        if (script === undefined || args.length !== 1) {
          throw new CtlError(`completion takes one of ${shells.join(", ")}`, Exit.badArgs);
        }
        print(script(names()));
        return 0;
      },
    },
    version: {
      about: "prints the version",
      run: async () => {
        print(`etcdctl version: ${serverVersion}\nAPI version: ${apiOf(serverVersion)}\n`);
        return 0;
      },
    },
  };
}

function apiOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

const scripts: Readonly<Record<(typeof shells)[number], (names: readonly string[]) => string>> = {
  bash: (names) => `# source <(lockstep ctl completion bash)
_lockstep_ctl() {
  local words="\${COMP_WORDS[*]:2:COMP_CWORD-2}" line
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      "\${words:+$words }\${COMP_WORDS[COMP_CWORD]}"*)
        line="\${line#"\${words:+$words }"}"
        COMPREPLY+=("\${line%% *}") ;;
    esac
  done <<'LOCKSTEP_COMMANDS'
${names.join("\n")}
LOCKSTEP_COMMANDS
}
_lockstep() { if [ "\${COMP_WORDS[1]}" = ctl ] && [ "$COMP_CWORD" -ge 2 ]; then _lockstep_ctl; fi; }
complete -F _lockstep lockstep
`,
  zsh: (names) => `#compdef lockstep
# lockstep ctl completion zsh > "\${fpath[1]}/_lockstep"
_lockstep() {
  [[ "\${words[2]}" == ctl ]] || return
  local -a commands
  commands=(${names.map((name) => `'${name}'`).join(" ")})
  local typed="\${(j: :)words[3,CURRENT-1]}"
  [[ -n "$typed" ]] && typed="$typed "
  compadd -- \${(u)\${\${(M)commands:#$typed*}#$typed}%% *}
}
compdef _lockstep lockstep
`,
  fish: (names) =>
    [
      "# lockstep ctl completion fish | source",
      ...names.map((name) => {
        const [first, second] = name.split(" ");
        const condition = "__fish_seen_subcommand_from ctl";
        return second === undefined
          ? `complete -c lockstep -f -n '${condition}' -a ${first}`
          : `complete -c lockstep -f -n '${condition}; and __fish_seen_subcommand_from ${first}' -a ${second}`;
      }),
      "",
    ].join("\n"),
};
