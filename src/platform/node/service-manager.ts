/**
 * Tells systemd that this service is ready (sd_notify: NOTIFY_SOCKET, units of Type=notify). Node has no
 * datagram sockets of the Unix family, so systemd's own program systemd-notify sends the message.
 * Without privileges it does so under its own process id: the unit needs NotifyAccess=all.
 */
import { execFile } from "node:child_process";

const timeoutMs = 5_000;

/**
 * Does nothing where no service manager waits. `failed` gets the reason if the message could not be
 * sent.
 */
export function notifyReady(
  environment: Readonly<Record<string, string | undefined>>,
  failed: (reason: string) => void,
): void {
  const { NOTIFY_SOCKET: socket = "" } = environment;
  if (socket === "") return;
  execFile("systemd-notify", ["--ready"], { timeout: timeoutMs }, (error, _stdout, stderr) => {
    if (error === null) return;
    const { code } = error as NodeJS.ErrnoException;
    failed(code === "ENOENT" ? "there is no program systemd-notify here" : stderr || error.message);
  });
}
