/** The commands alarm list and disarm, compaction, defrag, move-leader, snapshot save. */
import fs from "node:fs";
import { AlarmRequest_AlarmAction as Action, type AlarmResponse } from "../../wire/gen/rpc.js";
import { type Command, type Context, headerFields, print, show } from "./context.js";
import { alarmName, endpointsOf } from "./endpoint.js";
import { CtlError, Exit, parseInteger } from "./flags.js";
import { methods } from "./method.js";
import { message } from "./print-values.js";

async function compaction(context: Context): Promise<undefined> {
  if (context.args.length !== 1)
    throw new CtlError("compaction command needs 1 argument", Exit.badArgs);
  const revision = parseInteger(context.args[0] as string, 10, (why) => new CtlError(why));
  await context.client.call(methods.compact, {
    revision,
    physical: context.flags.isOn("physical"),
  });
  print(`compacted revision ${revision}\n`);
}

async function defrag(context: Context): Promise<undefined> {
  for (const endpoint of await endpointsOf(context)) {
    await context.client.call(methods.defragment, {}, endpoint);
    print(`Finished defragmenting etcd member[${endpoint}]\n`);
  }
}

function showAlarms(context: Context, answer: AlarmResponse): void {
  show(context, {
    simple: () =>
      answer.alarms
        .map((one) => `memberID:${one.memberID} alarm:${alarmName(one.alarm)} \n`)
        .join(""),
    json: () => message(answer),
    fields: () =>
      headerFields(answer.header) +
      answer.alarms
        .map((one) => `"MemberID" : ${one.memberID}\n"AlarmType" : ${alarmName(one.alarm)}\n\n`)
        .join(""),
  });
}

async function alarmList(context: Context): Promise<undefined> {
  noArguments(context, "list");
  showAlarms(context, await context.client.call(methods.alarm, {}));
}

function noArguments({ args }: Context, name: string): void {
  if (args.length === 0) return;
  throw new CtlError(`alarm ${name} command accepts no arguments`, Exit.badArgs);
}

/** Disarms every active alarm, one request each, as etcd requires. */
async function alarmDisarm(context: Context): Promise<undefined> {
  noArguments(context, "disarm");
  const active = await context.client.call(methods.alarm, {});
  const ended: AlarmResponse["alarms"] = [];
  let { header } = active;
  for (const { memberID, alarm } of active.alarms) {
    const request = { action: Action.DEACTIVATE, memberID, alarm };
    const answer = await context.client.call(methods.alarm, request);
    ended.push(...answer.alarms);
    header = answer.header;
  }
  showAlarms(context, { header, alarms: ended });
}

async function moveLeader(context: Context): Promise<undefined> {
  if (context.args.length !== 1) {
    throw new CtlError("move-leader command needs 1 argument", Exit.badArgs);
  }
  const fail = (): CtlError => new CtlError(`bad member ID arg, expecting ID in Hex`, Exit.badArgs);
  const targetID = parseInteger(context.args[0] as string, 16, fail, "ParseUint");
  for (const endpoint of context.client.endpoints) {
    const { header, leader } = await context.client.call(methods.status, {}, endpoint);
    if (header?.member_id !== leader) continue;
    await context.client.call(methods.moveLeader, { targetID }, endpoint);
    print(`Leadership transferred from ${leader.toString(16)} to ${targetID.toString(16)}\n`);
    return;
  }
  throw new CtlError(
    `no leader endpoint given at ${context.client.endpoints.join(",")}`,
    Exit.badArgs,
  );
}

/** Saves a snapshot. The file has another name until it is complete. */
async function snapshotSave(context: Context): Promise<undefined> {
  const [file, ...more] = context.args;
  if (file === undefined || more.length > 0) {
    throw new CtlError("snapshot save expects one argument", Exit.badArgs);
  }
  const draft = `${file}.part`;
  const handle = openDraft(draft);
  try {
    for await (const { blob } of context.client.download(methods.snapshot, {})) {
      fs.writeSync(handle, blob);
    }
    fs.fsyncSync(handle);
  } catch (error) {
    fs.rmSync(draft, { force: true });
    throw error;
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(draft, file);
  print(`Snapshot saved at ${file}\n`);
}

/** @throws CtlError that names the file */
function openDraft(draft: string): number {
  try {
    return fs.openSync(draft, "w", 0o600);
  } catch (cause) {
    throw new CtlError(`could not open ${draft} (${(cause as Error).message})`, Exit.badArgs);
  }
}

export const maintenanceCommands: Readonly<Record<string, Command>> = {
  compaction: { flags: { physical: false }, run: compaction },
  defrag: { flags: { cluster: false }, run: defrag },
  "alarm list": { run: alarmList },
  "alarm disarm": { run: alarmDisarm },
  "move-leader": { run: moveLeader },
  "snapshot save": { run: snapshotSave },
};
