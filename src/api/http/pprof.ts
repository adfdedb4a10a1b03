/**
 * The pages /debug/pprof of --enable-pprof. etcd gives Go's formats; this server gives V8's CPU
 * profile, a file named .cpuprofile.
 */

type Answer = (answer: {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}) => void;

/** Undefined: another profile is being taken. */
export type TakeProfile = (seconds: number) => Promise<string | undefined>;

const text = { "Content-Type": "text/plain; charset=utf-8" };
const secondsMax = 300;
const secondsInitial = 30;
const index = `/debug/pprof/profile?seconds=${secondsInitial}: a CPU profile of V8 (.cpuprofile), for Chrome's developer tools or speedscope\n`;

/**
 * Answers if the path is one of these pages. Returns false if it is another path, and gives no
 * answer then.
 */
export function answerPprof(
  { url }: { readonly url: string },
  take: TakeProfile,
  done: Answer,
): boolean {
  const [path = "", query = ""] = url.split("?", 2);
  if (path === "/debug/pprof" || path === "/debug/pprof/") {
    done({ status: 200, headers: text, body: index });
    return true;
  }
  if (path !== "/debug/pprof/profile") return false;
  const given = new URLSearchParams(query).get("seconds") ?? String(secondsInitial);
  const seconds = Number(given);
  if (!(seconds > 0 && seconds <= secondsMax)) {
    const body = `seconds is a number above 0, up to ${secondsMax}, but got: ${given}\n`;
    done({ status: 400, headers: text, body });
    return true;
  }
  take(seconds).then(
    (profile) => {
      if (profile === undefined) {
        done({ status: 409, headers: text, body: "another profile is being taken\n" });
        return;
      }
      const name = 'attachment; filename="lockstep.cpuprofile"';
      const headers = { "Content-Type": "application/json", "Content-Disposition": name };
      done({ status: 200, headers, body: profile });
    },
    (error: Error) => done({ status: 500, headers: text, body: `${error.message}\n` }),
  );
  return true;
}
